//! Whether a binding still holds: its organization exists, its user is a member. Asked once in each transaction,
//! so that a member who was removed, or given a lesser role, is so for a bound login too.

use std::cell::Cell;

use pgrx::pg_sys;

use super::binding::Binding;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select_one;
use crate::codeverify::transaction;
use crate::tenancy::permission::MemberRole;
use crate::tenancy::sql::to_datum;

thread_local! {
    /// What was found in this transaction; None before anybody asked.
    static FOUND: Cell<Option<Option<Binding>>> = const { Cell::new(None) };
}

/// The binding with the role that its user has by now, or none.
pub fn narrow(binding: Binding) -> Option<Binding> {
    if let Some(found) = FOUND.get() {
        return found;
    }
    // SAFETY: reads the state of the transaction.
    if !unsafe { pg_sys::IsTransactionState() } {
        return None;
    }
    // Should the query fail, or ask in its turn, the answer is that there is no identity.
    FOUND.set(Some(None));
    transaction::at_end(|| FOUND.set(None));
    let found = as_owner(|| find_role(binding)).map(|role| Binding { role, ..binding });
    FOUND.set(Some(found));
    found
}

fn find_role(binding: Binding) -> Option<MemberRole> {
    let role: String = select_one(
        "SELECT CASE WHEN $2 IS NULL THEN $3 ELSE m.role END \
         FROM tenancy.organizations AS o \
         LEFT JOIN tenancy.org_memberships AS m ON m.org_id = o.id AND m.user_id = $2 \
         WHERE o.id = $1",
        &[
            to_datum(binding.org_id).into(),
            binding.user_id.map(to_datum).into(),
            binding.role.name().into(),
        ],
    )?;
    Some(role.parse::<MemberRole>().ok()?.lesser(binding.role))
}
