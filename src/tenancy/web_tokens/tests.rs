use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use base64::Engine;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{json, Value};
use sha2::Sha256;

use super::claims::{Claims, Expected, Refusal};
use super::key::{Algorithm, Key};
use super::token::{WebToken, MAX_SIZE};

// RFC 7515, appendix A.1.
const HS256_SECRET: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const HS256_TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

// RFC 7515, appendix A.2.
const RS256_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
oQIDAQAB
-----END PUBLIC KEY-----
";
const RS256_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5juj\
    Gbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
    0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6L\
    bgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RFC_TIME: f64 = 1_300_819_380.0;

// RFC 8037, appendix A.4.
const EDDSA_KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----";
const EDDSA_SIGNED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const EDDSA_SIGNATURE: &str =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDYZ6ogoWNmDLhErSg9fycIkjSV
wQ8HTgtSMuK3b0Ip7ezO4DF98HYdV4YK9UFMNCJIUedcNvTTmkycp6FxOFdb5EQg
5TUe0EWCi4i1d2Yg3O+vYg1bz1ShM4JbHr5DPv4w3ivFnIYMWScMvY292XAVr3xe
GzmyUG7pyrBdHGz2rwIDAQAB
-----END PUBLIC KEY-----";
const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEbCWwwtN5v+K3CIH1S3b5P6IwMaqH
XM4y8tHGue3FBue6B+ybKEK53nqDoGK5iv6R0bUYg8CKpXrnfRWcunEr/A==
-----END PUBLIC KEY-----";

const SECRET: &[u8] = b"a secret of 32 bytes or a few more";
const NOW: f64 = 1_800_000_000.0;

fn encode(part: &[u8]) -> String {
    BASE64URL.encode(part)
}

fn hmac(secret: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length will do");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A token with these texts as header and claims, signed with SECRET.
fn token_of(header: &str, claims: &str) -> String {
    let signed = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.as_bytes())
    );
    let signature = encode(&hmac(SECRET, &signed));
    format!("{signed}.{signature}")
}

fn token(claims: &Value) -> String {
    token_of(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

fn good_claims() -> Value {
    json!({ "iss": "issuer", "sub": "somebody", "exp": NOW + 60.0 })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good_claims();
    claims[name] = value;
    claims
}

fn shared() -> Key {
    Key::shared(SECRET).expect("a key")
}

fn verify(text: &str, key: &Key) -> Option<Claims> {
    WebToken::parse(text)?.verify(key)
}

fn check(claims: &Value, audience: Option<&str>) -> Result<(), Refusal> {
    let expected = Expected {
        issuer: "issuer",
        audience,
        now: NOW,
        leeway: 60.0,
    };
    verify(&token(claims), &shared())
        .expect("a right signature")
        .check(&expected)
}

// ---- vectors

#[test]
fn hs256_is_that_of_rfc_7515() {
    let secret = BASE64URL.decode(HS256_SECRET).expect("Base64url");
    let claims = verify(HS256_TOKEN, &Key::shared(&secret).expect("a key")).expect("its claims");
    let expected = Expected {
        issuer: "joe",
        audience: None,
        now: RFC_TIME - 1.0,
        leeway: 0.0,
    };
    assert_eq!(claims.check(&expected), Ok(()));
    let later = Expected {
        now: RFC_TIME,
        ..expected
    };
    assert_eq!(claims.check(&later), Err(Refusal::Expired));
}

#[test]
fn rs256_is_that_of_rfc_7515() {
    let key = Key::public(Algorithm::Rs256, RS256_KEY).expect("a key");
    assert!(verify(RS256_TOKEN, &key).is_some());
}

#[test]
fn eddsa_is_that_of_rfc_8037() {
    let key = Key::public(Algorithm::EdDsa, EDDSA_KEY).expect("a key");
    let signature = BASE64URL.decode(EDDSA_SIGNATURE).expect("Base64url");
    assert!(key.verify(EDDSA_SIGNED.as_bytes(), &signature));
    assert!(!key.verify(b"another message", &signature));
}

// ---- attacks on the header

#[test]
fn the_algorithm_is_the_keys() {
    let claims = good_claims().to_string();
    for alg in [
        "none", "None", "NONE", "", "hs256", "HS384", "HS512", "RS256", "EdDSA", "ES256", "PS256",
    ] {
        let text = token_of(&json!({ "alg": alg }).to_string(), &claims);
        assert!(verify(&text, &shared()).is_none(), "{alg}");
    }
    for header in [
        "{}",
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"typ":"JWT"}"#,
        "[]",
        "null",
        r#""HS256""#,
        "",
    ] {
        assert!(
            verify(&token_of(header, &claims), &shared()).is_none(),
            "{header}"
        );
    }
}

#[test]
fn a_token_without_a_signature_is_none() {
    let text = token(&good_claims());
    let signed = text.rsplit_once('.').expect("a signature").0;
    assert!(verify(&format!("{signed}."), &shared()).is_none());
    assert!(verify(signed, &shared()).is_none());
    let none = format!(
        "{}.{}.",
        encode(br#"{"alg":"none"}"#),
        encode(good_claims().to_string().as_bytes())
    );
    assert!(verify(&none, &shared()).is_none());
}

#[test]
fn a_public_key_is_no_shared_secret() {
    // The classic confusion: HS256 with the text of the RSA key, which anybody has, as the secret.
    let claims = good_claims().to_string();
    let signed = format!(
        "{}.{}",
        encode(br#"{"alg":"HS256"}"#),
        encode(claims.as_bytes())
    );
    let key = Key::public(Algorithm::Rs256, RS256_KEY).expect("a key");
    for secret in [RS256_KEY, RS256_KEY.trim(), EDDSA_KEY] {
        let text = format!("{signed}.{}", encode(&hmac(secret.as_bytes(), &signed)));
        assert!(verify(&text, &key).is_none());
        assert!(Key::shared(secret.as_bytes()).is_err());
    }
}

#[test]
fn a_key_that_the_token_brings_is_not_used() {
    let own = SigningKey::from_bytes(&[7; 32]);
    let header = json!({
        "alg": "EdDSA",
        "jwk": { "kty": "OKP", "crv": "Ed25519", "x": encode(own.verifying_key().as_bytes()) },
        "jku": "https://attacker.example/keys",
        "x5u": "https://attacker.example/key.pem",
    });
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(good_claims().to_string().as_bytes())
    );
    let text = format!(
        "{signed}.{}",
        encode(&own.sign(signed.as_bytes()).to_bytes())
    );
    let key = Key::public(Algorithm::EdDsa, EDDSA_KEY).expect("a key");
    assert!(WebToken::parse(&text).is_some());
    assert!(verify(&text, &key).is_none());
}

#[test]
fn what_must_be_understood_and_is_not_is_refused() {
    let claims = good_claims().to_string();
    for header in [
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","b64":false}"#,
        r#"{"alg":"HS256","b64":true}"#,
        r#"{"alg":"HS256","typ":"JOSE"}"#,
        r#"{"alg":"HS256","typ":1}"#,
    ] {
        assert!(
            verify(&token_of(header, &claims), &shared()).is_none(),
            "{header}"
        );
    }
    for header in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
        r#"{"alg":"HS256","typ":"at+JWT"}"#,
    ] {
        assert!(
            verify(&token_of(header, &claims), &shared()).is_some(),
            "{header}"
        );
    }
}

#[test]
fn a_key_id_is_a_bounded_text() {
    let claims = good_claims().to_string();
    let key_id = |value: Value| {
        let text = token_of(
            &json!({ "alg": "HS256", "kid": value }).to_string(),
            &claims,
        );
        WebToken::parse(&text).map(|token| token.key_id().map(str::to_owned))
    };
    assert_eq!(key_id(json!("a")), Some(Some("a".into())));
    assert_eq!(key_id(Value::Null), Some(None));
    assert_eq!(
        key_id(json!("' OR true --")),
        Some(Some("' OR true --".into()))
    );
    for value in [
        json!(1),
        json!(""),
        json!(["a"]),
        json!("x".repeat(256)),
        json!("a\0b"),
    ] {
        assert_eq!(key_id(value.clone()), None, "{value}");
    }
}

#[test]
fn a_name_that_comes_twice_is_refused() {
    let claims = good_claims().to_string();
    assert!(verify(
        &token_of(r#"{"alg":"HS256","alg":"HS256"}"#, &claims),
        &shared()
    )
    .is_none());
    let twice = r#"{"iss":"issuer","iss":"issuer","exp":1800000060}"#;
    assert!(verify(&token_of(r#"{"alg":"HS256"}"#, twice), &shared()).is_none());
}

#[test]
fn the_form_is_strict() {
    let good = token(&good_claims());
    assert!(verify(&good, &shared()).is_some());
    for text in [
        format!(" {good}"),
        format!("{good} "),
        format!("{good}="),
        format!("{good}."),
        format!("Bearer {good}"),
        format!("{good}.a.b"),
        good.replace('.', ":"),
        good.to_uppercase(),
        String::new(),
        ".".into(),
        "..".into(),
        "....".into(),
    ] {
        assert!(verify(&text, &shared()).is_none(), "{text}");
    }
}

#[test]
fn a_large_token_is_not_looked_at() {
    let padding = "x".repeat(MAX_SIZE);
    assert!(WebToken::parse(&token(&with("padding", json!(padding)))).is_none());
    let deep = format!(
        r#"{{"iss":"issuer","a":{}{}}}"#,
        "[".repeat(4000),
        "]".repeat(4000)
    );
    assert!(WebToken::parse(&token_of(r#"{"alg":"HS256"}"#, &deep)).is_none());
}

// ---- claims

#[test]
fn times_are_kept_within_the_leeway() {
    assert_eq!(check(&good_claims(), None), Ok(()));
    for (name, value, expected) in [
        ("exp", json!(NOW - 59.0), Ok(())),
        ("exp", json!(NOW - 59.5), Ok(())),
        ("exp", json!(NOW - 60.0), Err(Refusal::Expired)),
        ("exp", json!(0), Err(Refusal::Expired)),
        ("exp", Value::Null, Err(Refusal::Invalid)),
        ("exp", json!("1900000000"), Err(Refusal::Invalid)),
        ("exp", json!(-1), Err(Refusal::Invalid)),
        ("exp", json!(1e300), Err(Refusal::Invalid)),
        ("exp", json!(u64::MAX), Err(Refusal::Invalid)),
        ("exp", json!([NOW + 60.0]), Err(Refusal::Invalid)),
        ("nbf", json!(NOW + 60.0), Ok(())),
        ("nbf", json!(NOW + 61.0), Err(Refusal::NotYetValid)),
        ("nbf", json!("x"), Err(Refusal::Invalid)),
        ("nbf", Value::Null, Err(Refusal::Invalid)),
        ("iat", json!(NOW + 60.0), Ok(())),
        ("iat", json!(NOW + 61.0), Err(Refusal::NotYetValid)),
        ("iat", json!(true), Err(Refusal::Invalid)),
    ] {
        assert_eq!(
            check(&with(name, value.clone()), None),
            expected,
            "{name} {value}"
        );
    }
    assert_eq!(
        check(&json!({ "iss": "issuer" }), None),
        Err(Refusal::Invalid)
    );
}

#[test]
fn the_issuer_is_that_of_the_key() {
    for issuer in [json!("Issuer"), json!("issuer "), json!("issuer/")] {
        assert_eq!(check(&with("iss", issuer), None), Err(Refusal::Invalid));
    }
    for issuer in [
        Value::Null,
        json!(["issuer"]),
        json!(1),
        json!(""),
        json!("x".repeat(1001)),
    ] {
        assert!(WebToken::parse(&token(&with("iss", issuer))).is_none());
    }
}

#[test]
fn the_audience_is_ours_where_one_is_asked() {
    for (audience, expected) in [
        (json!("us"), Ok(())),
        (json!(["them", "us"]), Ok(())),
        (json!("them"), Err(Refusal::Invalid)),
        (json!(["them"]), Err(Refusal::Invalid)),
        (json!([]), Err(Refusal::Invalid)),
        (json!(["us", 1]), Err(Refusal::Invalid)),
        (json!({ "us": true }), Err(Refusal::Invalid)),
        (Value::Null, Err(Refusal::Invalid)),
    ] {
        assert_eq!(
            check(&with("aud", audience.clone()), Some("us")),
            expected,
            "{audience}"
        );
        assert_eq!(check(&with("aud", audience), None), Ok(()));
    }
    assert_eq!(check(&good_claims(), Some("us")), Err(Refusal::Invalid));
}

#[test]
fn the_organization_is_a_uuid_where_it_is_named() {
    let org_id = "0f4f0a53-4b57-4f5c-9e0f-0d1c6b8a7e21";
    let organization = |value: Value| {
        verify(&token(&with("https://example.org/org", value)), &shared())
            .expect("its claims")
            .organization("https://example.org/org")
            .map(|id| id.map(|id| id.to_string()))
    };
    assert_eq!(organization(json!(org_id)), Ok(Some(org_id.into())));
    assert_eq!(organization(Value::Null), Ok(None));
    for value in [
        json!("acme"),
        json!(""),
        json!(1),
        json!([org_id]),
        json!({ "id": org_id }),
    ] {
        assert_eq!(organization(value), Err(Refusal::Invalid));
    }
    let claims = verify(&token(&good_claims()), &shared()).expect("its claims");
    assert_eq!(claims.organization("org_id"), Ok(None));
    assert_eq!(claims.subject(), Some("somebody"));
}

#[test]
fn a_subject_is_a_text() {
    for subject in [Value::Null, json!(""), json!(1), json!(["somebody"])] {
        let claims = verify(&token(&with("sub", subject)), &shared()).expect("its claims");
        assert_eq!(claims.subject(), None);
    }
}

// ---- keys

#[test]
fn weak_and_wrong_keys_are_refused() {
    assert!(Key::shared(&[1; 31]).is_err());
    assert!(Key::shared(&[1; 32]).is_ok());
    assert!(Key::shared(&[1; 1024]).is_ok());
    assert!(Key::shared(&[1; 1025]).is_err());
    assert!(Key::public(Algorithm::Rs256, RSA_1024).is_err());
    for pem in [
        P256,
        EDDSA_KEY,
        "",
        "secret",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
    ] {
        assert!(Key::public(Algorithm::Rs256, pem).is_err(), "{pem}");
    }
    for pem in [
        P256,
        RS256_KEY,
        "",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ] {
        assert!(Key::public(Algorithm::EdDsa, pem).is_err(), "{pem}");
    }
    assert!(Key::public(Algorithm::Hs256, RS256_KEY).is_err());
    let private = RS256_KEY.replace("PUBLIC", "PRIVATE");
    assert!(Key::public(Algorithm::Rs256, &private).is_err());
    assert!(Key::public(Algorithm::Rs256, &RS256_KEY.replace("PUBLIC", "RSA PUBLIC")).is_err());
}

/// A public key with this content, as PEM.
fn ed25519_pem(point: &[u8]) -> String {
    let mut der = hex::decode("302a300506032b6570032100").expect("hexadecimal");
    der[1] = 10 + point.len() as u8;
    der[10] = 1 + point.len() as u8;
    der.extend(point);
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----")
}

#[test]
fn an_ed25519_key_is_a_point_of_full_order() {
    let good = SigningKey::from_bytes(&[7; 32]).verifying_key();
    assert!(Key::public(Algorithm::EdDsa, &ed25519_pem(good.as_bytes())).is_ok());
    assert!(Key::public(Algorithm::EdDsa, &ed25519_pem(&good.as_bytes()[..31])).is_err());
    let mut identity = [0; 32];
    identity[0] = 1;
    assert!(Key::public(Algorithm::EdDsa, &ed25519_pem(&identity)).is_err());
}

#[test]
fn an_rsa_exponent_of_one_is_refused() {
    let pem = RS256_KEY.replace("oQIDAQAB", "oQIDAAAB");
    assert!(Key::public(Algorithm::Rs256, &pem).is_err());
}

#[test]
fn a_key_does_not_leak_through_debug() {
    assert!(!format!("{:?}", shared()).contains("secret of"));
    assert!(!format!("{:?}", shared()).contains(&format!("{:?}", SECRET)));
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".*") {
        prop_assert!(verify(&text, &shared()).is_none());
    }

    #[test]
    fn any_three_parts_are_read_without_panic(header in ".*", claims in ".*", signature in proptest::collection::vec(any::<u8>(), 0..600)) {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let text = format!("{signed}.{}", encode(&signature));
        prop_assert!(verify(&text, &shared()).is_none());
    }

    #[test]
    fn any_signature_of_any_length_is_refused(
        algorithm in proptest::sample::select(&Algorithm::ALL[..]),
        signature in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let key = match algorithm {
            Algorithm::Hs256 => shared(),
            Algorithm::Rs256 => Key::public(algorithm, RS256_KEY).expect("a key"),
            Algorithm::EdDsa => Key::public(algorithm, EDDSA_KEY).expect("a key"),
        };
        let header = json!({ "alg": algorithm.name() }).to_string();
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(good_claims().to_string().as_bytes()));
        let text = format!("{signed}.{}", encode(&signature));
        prop_assert!(verify(&text, &key).is_none());
    }

    #[test]
    fn one_changed_character_is_noticed(which in 0usize..2, place in any::<prop::sample::Index>(), replacement in "[ -~]") {
        let good = if which == 0 { token(&good_claims()) } else { RS256_TOKEN.to_owned() };
        let key = if which == 0 { shared() } else { Key::public(Algorithm::Rs256, RS256_KEY).expect("a key") };
        let place = place.index(good.len());
        let mut text = good.clone();
        text.replace_range(place..=place, &replacement);
        prop_assert_eq!(verify(&text, &key).is_some(), text == good);
    }

    #[test]
    fn a_token_of_another_key_is_refused(secret in proptest::collection::vec(any::<u8>(), 32..64)) {
        prop_assume!(secret != SECRET);
        prop_assert!(verify(&token(&good_claims()), &Key::shared(&secret).expect("a key")).is_none());
    }

    #[test]
    fn any_claims_are_checked_without_panic(exp in any::<f64>(), nbf in any::<i64>(), name in ".*", value in ".*") {
        let claims = json!({ "iss": "issuer", "exp": exp, "nbf": nbf, name.clone(): value });
        if let Some(claims) = verify(&token(&claims), &shared()) {
            let expected = Expected { issuer: "issuer", audience: Some("us"), now: NOW, leeway: 60.0 };
            let _ = claims.check(&expected);
            let _ = claims.organization(&name);
        }
    }

    #[test]
    fn any_pem_is_read_without_panic(body in "[A-Za-z0-9+/=\n]{0,1500}") {
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
        let _ = Key::public(Algorithm::Rs256, &pem);
        let _ = Key::public(Algorithm::EdDsa, &pem);
        let _ = Key::public(Algorithm::Rs256, &body);
    }

    #[test]
    fn any_der_is_read_without_panic(der in proptest::collection::vec(any::<u8>(), 0..300)) {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
        let _ = Key::public(Algorithm::Rs256, &pem);
        let _ = Key::public(Algorithm::EdDsa, &pem);
    }
}
