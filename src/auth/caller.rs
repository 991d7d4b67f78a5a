//! Who calls a function of this domain.

use uuid::Uuid;

use crate::codeverify::errors::Error;
use crate::codeverify::owner::caller_has_role;
use crate::codeverify::query::select_one;
use crate::tenancy::settings;

/// Whether the caller is the trusted back end, and acts for nobody yet.
pub fn is_service() -> bool {
    settings::org_id().is_none() && caller_has_role(c"codeverify_service")
}

/// For functions that give out what is to be mailed, or tell whether an address is known.
pub fn require_service() -> Result<(), Error> {
    if is_service() {
        Ok(())
    } else {
        Err(Error::NotTheService)
    }
}

/// The trusted back end acts for any user; everybody else for the user in context.
pub fn require_self_or_service(user_id: Uuid) -> Result<(), Error> {
    if settings::user_id() == Some(user_id) || is_service() {
        Ok(())
    } else {
        Err(Error::NotYourUser)
    }
}

/// The address to count failures by: what the trusted back end says of its client, or where the connection
/// itself comes from. None over a Unix socket.
pub fn ip_address(said: Option<&str>) -> Option<String> {
    if caller_has_role(c"codeverify_service") {
        return said
            .and_then(|text| text.trim().parse::<std::net::IpAddr>().ok())
            .map(|address| address.to_canonical().to_string());
    }
    connection_address()
}

fn connection_address() -> Option<String> {
    select_one("SELECT pg_catalog.host(pg_catalog.inet_client_addr())", &[])
}
