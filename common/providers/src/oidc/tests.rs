use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::config::Values;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use super::token::{Expected, Unproven, verified};
use super::*;

const RSA: &str = include_str!("../../tests/samples/salesforce/jwt_test_key.pem");
const ISSUER: &str = "https://id.example.com/realm";

fn rsa() -> RsaKeyPair {
    let body: String = RSA.lines().filter(|line| !line.starts_with('-')).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap()
}

fn listed(key: &RsaKeyPair, kid: Option<&str>) -> Value {
    let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(key.public_key());
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "RSA", "kid": kid, "n": encoded(&public.n), "e": encoded(&public.e)})
}

fn token(key: &RsaKeyPair, head: &Value, claims: &Value) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encoded(head), encoded(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "1", "aud": ["debrief"], "exp": 1_000_300, "iat": 1_000_000, "nonce": "n"})
}

fn expected() -> Expected<'static> {
    let now = Moment::from_micros(1_000_010_000_000);
    Expected { issuer: ISSUER, client_id: "debrief", nonce: "n", now }
}

fn keys(listed: &[Value]) -> Keys {
    Keys::read(json!({ "keys": listed }).to_string().as_bytes()).unwrap()
}

#[test]
fn a_token_that_is_signed_with_rsa_is_read_and_its_key_is_found_by_its_id_or_because_it_is_the_only_one() {
    let key = rsa();
    for (kid, known) in [(Some("a"), vec![listed(&key, Some("a"))]), (None, vec![listed(&key, Some("a"))])] {
        let token = token(&key, &json!({"alg": "RS256", "kid": kid}), &claims());
        assert_eq!(verified(&token, &keys(&known), &expected()).unwrap().sub, "1");
    }
    let unnamed = token(&key, &json!({"alg": "RS256"}), &claims());
    let two = keys(&[listed(&key, Some("a")), listed(&key, Some("b"))]);
    assert_eq!(verified(&unnamed, &two, &expected()).unwrap_err(), Unproven::UnknownKey);
}

#[test]
fn what_is_no_token_is_refused_without_a_panic() {
    let known = keys(&[listed(&rsa(), Some("a"))]);
    let long = "a".repeat(100_000);
    for text in ["", ".", "..", "a.b.c", "e30.e30.e30", "e30.e30", "\u{e9}.\u{e9}.\u{e9}", &long] {
        assert_eq!(verified(text, &known, &expected()).unwrap_err(), Unproven::NoToken, "{text}");
    }
}

#[test]
fn a_token_without_a_time_or_a_name_is_no_token() {
    let key = rsa();
    let known = keys(&[listed(&key, None)]);
    for missing in ["iss", "sub", "aud", "exp", "iat"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(missing);
        let token = token(&key, &json!({"alg": "RS256"}), &without);
        assert_eq!(verified(&token, &known, &expected()).unwrap_err(), Unproven::NoToken, "{missing}");
    }
}

#[test]
fn keys_that_only_encrypt_or_are_of_another_kind_sign_nothing() {
    let key = rsa();
    for (name, value) in [("use", "enc"), ("alg", "RS512"), ("kty", "oct"), ("n", "not base64!")] {
        let mut changed = listed(&key, Some("a"));
        changed[name] = value.into();
        assert_eq!(keys(&[changed]).usable(), 0, "{name}");
    }
    assert!(Keys::read(b"<html>").is_none());
}

#[test]
fn only_a_verified_address_counts_whether_the_truth_is_a_text_or_not() {
    let email = |verified: Value| {
        let mut claims = claims();
        claims["email"] = "ada@example.com".into();
        claims["email_verified"] = verified;
        serde_json::from_value::<token::Claims>(claims).unwrap().verified_email().is_some()
    };
    assert!(email(json!(true)) && email(json!("true")));
    for no in [json!(false), json!("false"), json!(null), json!(1), json!("yes")] {
        assert!(!email(no.clone()), "{no}");
    }
}

#[test]
fn the_settings_name_what_is_missing_or_dangerous() {
    crate::testing::tls();
    let of = |settings: &[(&str, &str)]| Oidc::from_values(&Values::of(settings.iter().copied()));
    assert!(of(&[]).unwrap().is_none());
    let issuer = ("OIDC_ISSUER", ISSUER);
    let id = ("OIDC_CLIENT_ID", "debrief");
    assert_eq!(of(&[issuer, id]).unwrap().unwrap().title(), "id.example.com");
    for (settings, name) in [
        (&[issuer][..], "OIDC_CLIENT_ID"),
        (&[("OIDC_ISSUER", "http://id.example.com"), id], "OIDC_ISSUER"),
        (&[("OIDC_ISSUER", "https://id.example.com/?a"), id], "OIDC_ISSUER"),
        (&[issuer, id, ("OIDC_ROLE", "viewer")], "OIDC_DOMAINS"),
        (&[issuer, id, ("OIDC_ROLE", "owner")], "OIDC_ROLE"),
    ] {
        assert_eq!(of(settings).err().unwrap().name, name);
    }
    assert!(of(&[("OIDC_ISSUER", "http://127.0.0.1:8080"), id]).unwrap().is_some());
}
