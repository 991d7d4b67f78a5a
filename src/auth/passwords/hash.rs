//! Hashes of passwords: Argon2id in PHC strings, which is what is made; other Argon2 and bcrypt hashes of older
//! systems, which are verified until their owner logs in.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroize;

use super::text::Prepared;

/// Bounds of the settings. No stored hash may ask for more than they could: an imported one of four
/// gigabytes would take the server's memory at each attempt to log in.
pub const LEAST_MEMORY: u32 = 19 * 1024;
pub const MOST_MEMORY: u32 = 1024 * 1024;
pub const LEAST_ITERATIONS: u32 = 2;
pub const MOST_ITERATIONS: u32 = 16;
pub const MOST_PARALLELISM: u32 = 16;
/// 2^15 rounds take a few seconds, during which nothing can be cancelled.
const MOST_BCRYPT_COST: u32 = 15;
const LEAST_BCRYPT_COST: u32 = 4;

const SALT_LENGTH: usize = 16;
const OUTPUT_LENGTH: usize = 32;
/// Shorter outputs would make a wrong password right too often.
const LEAST_OUTPUT_LENGTH: usize = 16;

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// In kilobytes.
    pub memory: u32,
    pub iterations: u32,
    /// Lanes. They are filled one after the other: a server process has one thread.
    pub parallelism: u32,
}

/// The memory for a hash could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// A stored hash that can be verified.
#[derive(Debug)]
pub enum Stored {
    Argon2(Argon2Hash),
    Bcrypt(BcryptHash),
}

#[derive(Debug)]
pub struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    cost: Cost,
    salt: Salt,
    output: Output,
}

#[derive(Debug)]
pub struct BcryptHash {
    /// With the mark $2b$, which is what the three that are verified mean today.
    text: String,
}

impl Stored {
    /// Reads a stored hash; None for one of another kind, malformed, or too expensive.
    pub fn parse(text: &str) -> Option<Stored> {
        if text.starts_with("$2") {
            BcryptHash::parse(text).map(Stored::Bcrypt)
        } else {
            Argon2Hash::parse(text).map(Stored::Argon2)
        }
    }

    /// What made it.
    pub fn kind(&self) -> &'static str {
        match self {
            Stored::Argon2(hash) => hash.algorithm.as_str(),
            Stored::Bcrypt(_) => "bcrypt",
        }
    }

    /// Whether the password is the hash's. A bcrypt hash is of the text as it was typed, as older systems
    /// hashed it, and of no more than its first 72 bytes.
    pub fn verify(&self, typed: &str, prepared: &Prepared) -> Result<bool, OutOfMemory> {
        match self {
            Stored::Argon2(hash) => hash.verify(prepared.as_bytes()),
            Stored::Bcrypt(hash) => Ok(bcrypt::verify(typed, &hash.text).unwrap_or(false)),
        }
    }

    /// Whether a new hash would be of another kind, or cost more in any respect.
    pub fn is_weaker_than(&self, cost: Cost) -> bool {
        match self {
            Stored::Argon2(hash) => {
                hash.algorithm != Algorithm::Argon2id
                    || hash.version != Version::V0x13
                    || hash.cost.memory < cost.memory
                    || hash.cost.iterations < cost.iterations
                    || hash.cost.parallelism < cost.parallelism
                    || hash.salt.len() < SALT_LENGTH
                    || hash.output.len() < OUTPUT_LENGTH
            }
            Stored::Bcrypt(_) => true,
        }
    }
}

impl BcryptHash {
    fn parse(text: &str) -> Option<BcryptHash> {
        // $2x$ marks hashes of a faulty program, which are not those of the others.
        let rest = ["$2a$", "$2b$", "$2y$"]
            .iter()
            .find_map(|mark| text.strip_prefix(mark))?;
        let digits = rest.as_bytes().get(..2)?;
        let text = format!("$2b${rest}");
        let cost = text.parse::<bcrypt::HashParts>().ok()?.get_cost();
        (digits.iter().all(u8::is_ascii_digit)
            && (LEAST_BCRYPT_COST..=MOST_BCRYPT_COST).contains(&cost))
        .then_some(BcryptHash { text })
    }
}

impl Argon2Hash {
    fn parse(text: &str) -> Option<Argon2Hash> {
        let hash = PasswordHash::new(text).ok()?;
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        // The first version wrote none.
        let version = Version::try_from(hash.version.unwrap_or(0x10)).ok()?;
        // keyid and data speak of a secret that this server does not have.
        let mut names: Vec<&str> = hash
            .params
            .iter()
            .map(|(name, _)| match name.as_str() {
                "m" => "m",
                "t" => "t",
                "p" => "p",
                _ => "?",
            })
            .collect();
        names.sort_unstable();
        let cost = Cost {
            memory: hash.params.get_decimal("m")?,
            iterations: hash.params.get_decimal("t")?,
            parallelism: hash.params.get_decimal("p")?,
        };
        let (salt, output) = (hash.salt?, hash.hash?);
        let is_bounded = cost.memory <= MOST_MEMORY
            && cost.iterations <= MOST_ITERATIONS
            && cost.parallelism <= MOST_PARALLELISM;
        let is_sound =
            output.len() >= LEAST_OUTPUT_LENGTH && parameters(cost, output.len()).is_some();
        (names == ["m", "p", "t"] && is_bounded && is_sound).then_some(Argon2Hash {
            algorithm,
            version,
            cost,
            salt,
            output,
        })
    }

    fn verify(&self, password: &[u8]) -> Result<bool, OutOfMemory> {
        let computed = compute(
            self.algorithm,
            self.version,
            self.cost,
            password,
            &self.salt,
            self.output.len(),
        )?;
        // Outputs are compared in constant time.
        Ok(computed == self.output)
    }
}

/// Makes a hash: a PHC string of Argon2id. The salt is to be random.
pub fn make(
    cost: Cost,
    password: &Prepared,
    salt: [u8; SALT_LENGTH],
) -> Result<String, OutOfMemory> {
    let salt = Salt::new(&salt).map_err(|_| OutOfMemory)?;
    let output = compute(
        Algorithm::Argon2id,
        Version::V0x13,
        cost,
        password.as_bytes(),
        &salt,
        OUTPUT_LENGTH,
    )?;
    let params = parameters(cost, OUTPUT_LENGTH)
        .and_then(|params| ParamsString::try_from(&params).ok())
        .ok_or(OutOfMemory)?;
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(salt),
        hash: Some(output),
    }
    .to_string())
}

/// Does the work of a verification where there is nothing to verify, so that the time does not tell.
pub fn work_for_nothing(cost: Cost, password: &[u8]) -> Result<(), OutOfMemory> {
    let salt = Salt::new(&[0; SALT_LENGTH]).map_err(|_| OutOfMemory)?;
    let output = compute(
        Algorithm::Argon2id,
        Version::V0x13,
        cost,
        password,
        &salt,
        OUTPUT_LENGTH,
    )?;
    std::hint::black_box(output);
    Ok(())
}

fn parameters(cost: Cost, output_length: usize) -> Option<Params> {
    Params::new(
        cost.memory,
        cost.iterations,
        cost.parallelism,
        Some(output_length),
    )
    .ok()
}

fn compute(
    algorithm: Algorithm,
    version: Version,
    cost: Cost,
    password: &[u8],
    salt: &[u8],
    output_length: usize,
) -> Result<Output, OutOfMemory> {
    let parameters = parameters(cost, output_length).ok_or(OutOfMemory)?;
    let mut memory = Memory::take(parameters.block_count())?;
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..output_length).ok_or(OutOfMemory)?;
    Argon2::new(algorithm, version, parameters)
        .hash_password_into_with_memory(password, salt, output, &mut memory.0)
        .map_err(|_| OutOfMemory)?;
    Output::new(output).map_err(|_| OutOfMemory)
}

/// What a hash works in. Its first blocks would let passwords be tried without the work, so it is wiped.
struct Memory(Vec<Block>);

impl Memory {
    /// Fails where the allocator would end the process.
    fn take(blocks: usize) -> Result<Memory, OutOfMemory> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).map_err(|_| OutOfMemory)?;
        memory.resize(blocks, Block::new());
        Ok(Memory(memory))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHEAP: Cost = Cost {
        memory: 64,
        iterations: 1,
        parallelism: 1,
    };

    fn verify(hash: &str, typed: &str) -> Option<bool> {
        let prepared = Prepared::to_check(typed).expect("short enough");
        Stored::parse(hash).map(|hash| hash.verify(typed, &prepared).expect("memory"))
    }

    /// From src/test.c of the reference implementation.
    #[test]
    fn published_hashes_of_argon2_are_verified() {
        for (hash, password) in [
            ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"),
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"),
            ("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"),
            ("$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg", "password"),
            ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94", "differentpassword"),
            ("$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw", "password"),
            ("$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA", "password"),
            ("$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ", "password"),
        ] {
            assert_eq!(verify(hash, password), Some(true), "{hash}");
            assert_eq!(verify(hash, "sassword"), Some(false), "{hash}");
        }
    }

    /// From the tests of crypt_blowfish and of jBCrypt.
    #[test]
    fn published_hashes_of_bcrypt_are_verified() {
        for (hash, password) in [
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"),
            ("$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U"),
            ("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored"),
            ("$2a$08$HqWuK6/Ng6sg9gQzbLrgb.Tl.ZHfXLhvt/SgVyWhQqgqcZ7ZuUtye", ""),
            ("$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe", "a"),
            ("$2b$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"),
            ("$2y$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC", "abcdefghijklmnopqrstuvwxyz"),
            ("$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO", "~!@#$%^&*()      ~!@#$%^&*()PNBFRD"),
        ] {
            assert_eq!(verify(hash, password), Some(true), "{hash}");
            assert_eq!(verify(hash, "wrong"), Some(false), "{hash}");
        }
    }

    #[test]
    fn what_is_made_is_verified() {
        let password = Prepared::to_set("correct horse").expect("fit");
        let hash = make(CHEAP, &password, [7; 16]).expect("memory");
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert_eq!(verify(&hash, "correct horse"), Some(true));
        assert_eq!(verify(&hash, "Correct horse"), Some(false));
        let several = Cost {
            parallelism: 4,
            ..CHEAP
        };
        let hash = make(several, &password, [7; 16]).expect("memory");
        assert_eq!(verify(&hash, "correct horse"), Some(true));
    }

    #[test]
    fn the_prepared_form_is_hashed_and_bcrypt_takes_what_was_typed() {
        let composed = Prepared::to_set("caf\u{e9} au lait").expect("fit");
        let hash = make(CHEAP, &composed, [1; 16]).expect("memory");
        assert_eq!(verify(&hash, "cafe\u{301} au\u{a0}lait"), Some(true));
        let hash = bcrypt::hash("cafe\u{301} au lait", 4).expect("a hash");
        assert_eq!(verify(&hash, "cafe\u{301} au lait"), Some(true));
        assert_eq!(verify(&hash, "caf\u{e9} au lait"), Some(false));
    }

    #[test]
    fn hashes_are_replaced_when_they_are_weaker() {
        let password = Prepared::to_set("correct horse").expect("fit");
        let hash = make(CHEAP, &password, [7; 16]).expect("memory");
        let is_weaker =
            |hash: &str, cost| Stored::parse(hash).expect("usable").is_weaker_than(cost);
        assert!(!is_weaker(&hash, CHEAP));
        for more in [
            Cost {
                memory: 65,
                ..CHEAP
            },
            Cost {
                iterations: 2,
                ..CHEAP
            },
            Cost {
                parallelism: 2,
                ..CHEAP
            },
        ] {
            assert!(is_weaker(&hash, more));
            let stronger = make(more, &password, [7; 16]).expect("memory");
            assert!(!is_weaker(&stronger, CHEAP));
        }
        assert!(is_weaker(
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
            CHEAP
        ));
        assert!(is_weaker(
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            CHEAP
        ));
    }

    #[test]
    fn hashes_that_take_too_much_or_are_none_are_unusable() {
        let output = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        for hash in [
            String::new(),
            "$".into(),
            "plain text".into(),
            "5f4dcc3b5aa765d61d8327deb882cf99".into(),
            "$1$abc$def".into(),
            "$6$rounds=5000$salt$hash".into(),
            format!("$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=1048577,t=2,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=65536,t=17,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=65536,t=2,p=17$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=0,t=2,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=8,t=2,p=2$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=65536,t=0,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=65536,t=2,p=0$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=65536,t=2$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1,keyid=8PDw8A$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1,data=Dw8PDw8P$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=20$m=65536,t=2,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2x$v=19$m=65536,t=2,p=1$c29tZXNhbHQ${output}"),
            format!("$scrypt$ln=16,r=8,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1$c29tZQ${output}"),
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ".into(),
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm".into(),
            "$2a$16$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into(),
            "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into(),
            "$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into(),
            "$2a$+5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into(),
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into(),
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe".into(),
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyO é".into(),
        ] {
            assert!(Stored::parse(&hash).is_none(), "{hash}");
        }
    }

    #[test]
    fn work_for_nothing_takes_any_text() {
        assert_eq!(work_for_nothing(CHEAP, b""), Ok(()));
        assert_eq!(work_for_nothing(CHEAP, &[0xff; 20_000]), Ok(()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            Stored::parse(&text);
        }

        #[test]
        fn anything_like_a_hash_is_read_without_panic(
            text in "\\$(argon2(id|i|d)|2[abxy])\\$(v=[0-9]{1,11}\\$)?([a-z]{1,6}=[0-9A-Za-z+/]{0,11},?){0,5}\\$?[0-9]{0,2}\\$?[+/.0-9A-Za-zé]{0,60}(\\$[+/.0-9A-Za-z]{0,90})?"
        ) {
            if let Some(Stored::Argon2(hash)) = Stored::parse(&text) {
                prop_assert!(hash.cost.memory <= MOST_MEMORY);
                prop_assert!(hash.cost.iterations <= MOST_ITERATIONS);
                prop_assert!(hash.cost.parallelism <= MOST_PARALLELISM);
            }
        }

        #[test]
        fn what_is_made_is_read_back(
            memory in 8u32..100, iterations in 1u32..3, salt in proptest::array::uniform16(0u8..),
            password in "\\PC{8,30}", other in "\\PC{8,30}"
        ) {
            let prepared = Prepared::to_set(&password);
            prop_assume!(prepared.is_ok());
            let cost = Cost { memory, iterations, parallelism: 1 };
            let hash = make(cost, &prepared.expect("fit"), salt).expect("memory");
            prop_assert_eq!(verify(&hash, &password), Some(true));
            let same = Prepared::to_check(&other).map(|o| o.as_bytes().to_vec())
                == Prepared::to_check(&password).map(|p| p.as_bytes().to_vec());
            prop_assert_eq!(verify(&hash, &other), Some(same));
        }
    }
}
