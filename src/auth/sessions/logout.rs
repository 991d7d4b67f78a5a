//! Ends the session of whoever logs out.

use serde_json::{json, Value};

use super::find::find_session;
use super::revoke::{insert_revocations, Reason};
use super::rotation::{decide, Decision};
use crate::auth::outcomes::{count_unknown, record_success, Outcome, Unknown};
use crate::auth::tokens::{Kind, Token};
use crate::codeverify::owner::as_owner;
use crate::codeverify::time::now;

/// The answer to whoever logs out with a session token or a refresh token. One that has expired or was exchanged before
/// will do: to end a session is all that it is good for.
pub fn logout(text: Option<&str>) -> Value {
    let parsed = text.and_then(|text| {
        let parse = |kind, unknown| Token::parse(kind, text).map(|token| (token, unknown));
        parse(Kind::Session, Unknown::Session)
            .or_else(|| parse(Kind::Refresh, Unknown::RefreshToken))
    });
    let Some((token, unknown)) = parsed else {
        return json!({ "status": "invalid" });
    };
    let Some(session) = as_owner(|| find_session(&token)) else {
        count_unknown(unknown);
        return json!({ "status": "invalid" });
    };
    match decide(&session.family(), &token.hash(), now()) {
        Decision::Revoked => return json!({ "status": "revoked" }),
        Decision::Expired => return json!({ "status": "expired" }),
        Decision::Exchange | Decision::Repeat | Decision::Theft => {}
    }
    as_owner(|| insert_revocations(&[session.id], Reason::Logout));
    record_success(&Outcome {
        action: "session.logged_out",
        org_id: session.login_org_id,
        user_id: Some(session.user_id),
        resource_id: Some(session.id),
        details: json!({}),
        ip_address: None,
        user_agent: None,
    });
    json!({ "status": "ok" })
}
