//! The columns that hold encrypted secrets.

use std::ffi::CStr;

/// A column of encrypted secrets, of a table with a key of type uuid.
#[derive(Debug)]
pub struct Column {
    /// As schema.table.column. It is part of what is encrypted, so it is for ever.
    pub name: &'static str,
    pub schema: &'static CStr,
    pub table: &'static CStr,
    /// How many secrets are not under the key whose texts start with $1.
    pub count: &'static str,
    /// The next $3 of them, with keys after $2, in order and locked.
    pub select: &'static str,
    /// Replaces the secret of row $1 by $2.
    pub update: &'static str,
}

macro_rules! column {
    ($schema:literal, $table:literal, $key:literal, $column:literal) => {
        Column {
            name: concat!($schema, ".", $table, ".", $column),
            schema: c_str(concat!($schema, "\0")),
            table: c_str(concat!($table, "\0")),
            count: concat!(
                "SELECT count(*) FROM ",
                $schema,
                ".",
                $table,
                " AS t WHERE NOT starts_with(t.",
                $column,
                ", $1)"
            ),
            select: concat!(
                "SELECT t.",
                $key,
                ", t.",
                $column,
                " FROM ",
                $schema,
                ".",
                $table,
                " AS t \
                 WHERE NOT starts_with(t.",
                $column,
                ", $1) AND t.",
                $key,
                " > $2 \
                 ORDER BY t.",
                $key,
                " LIMIT $3 FOR NO KEY UPDATE"
            ),
            update: concat!(
                "UPDATE ",
                $schema,
                ".",
                $table,
                " SET ",
                $column,
                " = $2 WHERE ",
                $key,
                " = $1"
            ),
        }
    };
}

const fn c_str(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a name with a zero in it"),
    }
}

/// Seeds of one-time passwords.
pub static TOTP_SECRET: Column = column!("auth", "users", "id", "totp_secret");
/// Shared secrets of issuers of JSON Web Tokens.
pub static JWT_SECRET: Column = column!("auth", "jwt_keys", "id", "secret_encrypted");

/// Secrets that inbound deliveries are signed with.
pub static INBOUND_SECRET: Column =
    column!("integrations", "inbound_secrets", "id", "secret_encrypted");

/// All of them.
pub static COLUMNS: [&Column; 3] = [&TOTP_SECRET, &JWT_SECRET, &INBOUND_SECRET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codeverify::deploy::DEPLOYED;

    #[test]
    fn the_columns_are_there() {
        for column in COLUMNS {
            let (table, name) = column.name.rsplit_once('.').expect("a column's name");
            let start = format!("CREATE TABLE {table} (");
            let file = DEPLOYED
                .iter()
                .find(|file| file.text.contains(&start))
                .expect("its table");
            assert!(
                file.text.contains(&format!("\n    {name} ")),
                "{}",
                column.name
            );
        }
    }
}
