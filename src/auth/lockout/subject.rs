//! Whose failures are counted: an account by its mail address, and where attempts come from.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Account,
    IpAddress,
}

impl Kind {
    /// As auth.login_attempts has it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Account => "account",
            Kind::IpAddress => "ip_address",
        }
    }

    /// SHA-256 of the kind, a zero byte and the name.
    fn subject(self, name: &str) -> Subject {
        let hash = Sha256::new()
            .chain_update(self.name())
            .chain_update([0])
            .chain_update(name)
            .finalize()
            .into();
        Subject { kind: self, hash }
    }
}

/// Whose failures they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub kind: Kind,
    pub hash: [u8; 32],
}

/// The account with this mail address in its normalised form, whether there is one or not.
pub fn account(email: &str) -> Subject {
    Kind::Account.subject(email)
}

/// Where an attempt comes from; None for what is no address. Whoever has one IPv6 address has the other 2^64
/// of its network as well.
pub fn ip_address(text: &str) -> Option<Subject> {
    let network = match text.trim().parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() >> 64 << 64;
            format!("{}/64", Ipv6Addr::from_bits(prefix))
        }
    };
    Some(Kind::IpAddress.subject(&network))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_no_address() {
        assert_ne!(
            account("10.0.0.1").hash,
            Kind::IpAddress.subject("10.0.0.1").hash
        );
        assert_ne!(account("a@example.org"), account("b@example.org"));
        assert_eq!(
            hex::encode(account("a@example.org").hash),
            hex::encode(Sha256::digest(b"account\0a@example.org"))
        );
    }

    #[test]
    fn a_network_is_one_place() {
        let same = [
            "2001:db8:1:2::1",
            "2001:db8:1:2:ffff:ffff:ffff:ffff",
            "2001:0DB8:1:2:0:0:0:9",
            " 2001:db8:1:2:: ",
        ];
        for address in same {
            assert_eq!(ip_address(address), ip_address(same[0]), "{address}");
        }
        assert_ne!(ip_address("2001:db8:1:3::1"), ip_address(same[0]));
        assert_eq!(ip_address("::ffff:10.0.0.1"), ip_address("10.0.0.1"));
        assert_ne!(ip_address("10.0.0.2"), ip_address("10.0.0.1"));
        for nonsense in ["", "localhost", "10.0.0", "10.0.0.1/8", "1::2::3", "\0"] {
            assert_eq!(ip_address(nonsense), None, "{nonsense}");
        }
    }
}
