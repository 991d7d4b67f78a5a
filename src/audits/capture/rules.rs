//! Which columns hold secrets, and which are bookkeeping that nobody needs an entry about.

use std::str::FromStr;

use super::pattern::matches;

/// What an entry says of a column. Where several rules match, the greatest wins: it tells least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Treatment {
    /// Its values.
    Record,
    /// Its values, encrypted so that audits.erase_subject() can erase them with the rest of the person that the row is.
    Personal,
    /// Nothing; and a change of it alone is none.
    Ignore,
    /// A keyed digest of its values, which shows change and not content.
    Redact,
}

impl Treatment {
    const ALL: [Treatment; 4] = [
        Treatment::Record,
        Treatment::Personal,
        Treatment::Ignore,
        Treatment::Redact,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Treatment::Record => "record",
            Treatment::Personal => "personal",
            Treatment::Ignore => "ignore",
            Treatment::Redact => "redact",
        }
    }
}

impl FromStr for Treatment {
    type Err = ();

    fn from_str(name: &str) -> Result<Treatment, ()> {
        Treatment::ALL
            .into_iter()
            .find(|treatment| treatment.name() == name)
            .ok_or(())
    }
}

/// A treatment for every column whose name, and whose table's schema.table, match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// None for every table.
    pub table_pattern: Option<String>,
    pub column_pattern: String,
    pub treatment: Treatment,
}

impl Rule {
    fn covers(&self, table: &str, column: &str) -> bool {
        covers(
            self.table_pattern.as_deref(),
            &self.column_pattern,
            table,
            column,
        )
    }
}

fn covers(table_pattern: Option<&str>, column_pattern: &str, table: &str, column: &str) -> bool {
    matches(column_pattern, column) && table_pattern.is_none_or(|pattern| matches(pattern, table))
}

/// A rule that comes with the extension, and why.
pub struct DefaultRule {
    pub table_pattern: Option<&'static str>,
    pub column_pattern: &'static str,
    pub treatment: Treatment,
    pub reason: &'static str,
}

const fn redact(column_pattern: &'static str, reason: &'static str) -> DefaultRule {
    DefaultRule {
        table_pattern: None,
        column_pattern,
        treatment: Treatment::Redact,
        reason,
    }
}

const fn ignore(column_pattern: &'static str, reason: &'static str) -> DefaultRule {
    DefaultRule {
        table_pattern: None,
        column_pattern,
        treatment: Treatment::Ignore,
        reason,
    }
}

const fn personal(column_pattern: &'static str, reason: &'static str) -> DefaultRule {
    DefaultRule {
        table_pattern: None,
        column_pattern,
        treatment: Treatment::Personal,
        reason,
    }
}

impl DefaultRule {
    const fn of(mut self, table_pattern: &'static str) -> DefaultRule {
        self.table_pattern = Some(table_pattern);
        self
    }
}

/// Wide on purpose, for tables and columns that come later. `token` stands between underscores or at an
/// end, since tokens of language models are counted, not kept secret.
pub const DEFAULTS: &[DefaultRule] = &[
    redact("%password%", "Passwords and their hashes."),
    redact("%passwd%", "Passwords and their hashes."),
    redact("%passphrase%", "Passphrases and their hashes."),
    redact(
        "%secret%",
        "Signing secrets, client secrets, seeds of one-time passwords.",
    ),
    redact("%totp%", "Seeds of one-time passwords."),
    redact("otp", "One-time passwords."),
    redact("otp\\_%", "One-time passwords."),
    redact("%\\_otp", "One-time passwords."),
    redact("%\\_otp\\_%", "One-time passwords."),
    redact("pin", "Personal identification numbers."),
    redact("pin\\_%", "Personal identification numbers."),
    redact("%\\_pin", "Personal identification numbers."),
    redact("%recovery\\_code%", "Codes that stand for a second factor."),
    redact("%backup\\_code%", "Codes that stand for a second factor."),
    redact("%code\\_hash%", "Hashes of invitation and other codes."),
    redact(
        "subject\\_hash",
        "Hashes of what log-ins were tried with, which is guessed more easily than a secret.",
    ),
    redact("token", "Bearer tokens."),
    redact("token\\_%", "Bearer tokens and their hashes."),
    redact("%\\_token", "Bearer tokens."),
    redact("%\\_token\\_%", "Bearer tokens and their hashes."),
    redact("%jwt%", "Bearer tokens."),
    redact("%bearer%", "Bearer tokens."),
    redact("%cookie%", "Session cookies."),
    redact("%credential%", "Credentials of any kind."),
    redact("%key\\_hash%", "Hashes of API keys."),
    redact("%api\\_key", "API keys."),
    redact("%apikey", "API keys."),
    redact("%access\\_key", "Access keys."),
    redact("%private\\_key%", "Private keys."),
    redact("%signing\\_key", "Keys that sign."),
    redact("%encryption\\_key", "Keys that encrypt."),
    redact("%encrypted%", "Ciphertext, which a stolen key would open."),
    redact("%ciphertext%", "Ciphertext, which a stolen key would open."),
    redact("dek", "Data encryption keys."),
    redact("%\\_dek", "Data encryption keys."),
    redact("salt", "What a hash was salted with."),
    redact("%\\_salt", "What a hash was salted with."),
    redact(
        "webhook\\_url",
        "Whoever has the URL can post to the channel.",
    )
    .of("integrations.notification\\_configs"),
    redact("config", "May hold what a channel is opened with.")
        .of("integrations.notification\\_configs"),
    redact(
        "url",
        "Often has a token in it; whoever has it can post there.",
    )
    .of("integrations.webhooks"),
    redact("provider\\_name", "Each user sees their own.").of("providers.user\\_providers"),
    redact("provider\\_type", "Each user sees their own.").of("providers.user\\_providers"),
    redact("model\\_name", "Each user sees their own.").of("providers.user\\_providers"),
    redact("key\\_last\\_4\\_chars", "A part of an API key.").of("providers.user\\_providers"),
    redact("is\\_active", "Each user sees their own.").of("providers.user\\_providers"),
    redact("%limit", "Each user sees their own.").of("providers.user\\_quotas"),
    redact("alert\\_type", "Each user sees their own.").of("providers.cost\\_alerts"),
    redact("threshold\\_percentage", "Each user sees their own.").of("providers.cost\\_alerts"),
    redact("acknowledged%", "Each user sees their own.").of("providers.cost\\_alerts"),
    personal("github\\_id", "Who the user is elsewhere.").of("auth.users"),
    personal("username", "Who the user is.").of("auth.users"),
    personal("email", "Who the user is.").of("auth.users"),
    personal("avatar\\_url", "What the user looks like.").of("auth.users"),
    personal("auth0\\_sub", "Who the user is elsewhere.").of("auth.users"),
    personal("settings", "What the user likes.").of("auth.users"),
    ignore("updated\\_at", "The entry has its own time."),
    ignore("last\\_used", "Bookkeeping of use."),
    ignore("last\\_used\\_at", "Bookkeeping of use."),
    ignore("last\\_seen\\_at", "Bookkeeping of use."),
    ignore("last\\_triggered\\_at", "Bookkeeping of use."),
    ignore("last\\_login", "Log-ins are in auth.audit_logs.").of("auth.users"),
    ignore(
        "failed\\_login\\_attempts",
        "Failed log-ins are in auth.audit_logs.",
    )
    .of("auth.users"),
    ignore("second\\_factor\\_step", "Log-ins are in auth.audit_logs.").of("auth.users"),
    ignore("locked\\_until", "Failed log-ins are in auth.audit_logs.").of("auth.users"),
    ignore(
        "failure\\_count",
        "Deliveries are in integrations.webhook_deliveries.",
    )
    .of("integrations.webhooks"),
    ignore("occurrences", "They are in observability.incident_events.")
        .of("observability.incidents"),
];

/// What is done with a column. Rules of the installation go before those that come with the extension.
pub fn treatment(own: &[Rule], table: &str, column: &str) -> Treatment {
    own.iter()
        .filter(|rule| rule.covers(table, column))
        .map(|rule| rule.treatment)
        .max()
        .or_else(|| {
            DEFAULTS
                .iter()
                .filter(|rule| covers(rule.table_pattern, rule.column_pattern, table, column))
                .map(|rule| rule.treatment)
                .max()
        })
        .unwrap_or(Treatment::Record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codeverify::deploy::DEPLOYED;

    fn rule(table: Option<&str>, column: &str, treatment: Treatment) -> Rule {
        Rule {
            table_pattern: table.map(str::to_owned),
            column_pattern: column.to_owned(),
            treatment,
        }
    }

    #[test]
    fn the_installation_decides_and_among_its_rules_the_one_that_tells_least() {
        assert_eq!(treatment(&[], "public.t", "name"), Treatment::Record);
        assert_eq!(treatment(&[], "public.t", "password"), Treatment::Redact);
        let own = [
            rule(Some("public.%"), "name", Treatment::Redact),
            rule(None, "name", Treatment::Record),
            rule(Some("public.open"), "%token", Treatment::Record),
        ];
        assert_eq!(treatment(&own, "public.t", "name"), Treatment::Redact);
        assert_eq!(treatment(&own, "other.t", "name"), Treatment::Record);
        assert_eq!(treatment(&own, "public.open", "a_token"), Treatment::Record);
        assert_eq!(treatment(&own, "public.t", "a_token"), Treatment::Redact);
    }

    #[test]
    fn names_of_treatments_are_read_back() {
        for treatment in Treatment::ALL {
            assert_eq!(treatment.name().parse(), Ok(treatment));
        }
        assert_eq!("hide".parse::<Treatment>(), Err(()));
    }

    /// (table, column) of every CREATE TABLE that the extension deploys.
    fn deployed_columns() -> Vec<(String, String)> {
        let mut columns = Vec::new();
        for file in DEPLOYED {
            let mut table = None;
            for line in file.text.lines() {
                if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                    table = rest.split([' ', '(']).next().map(str::to_owned);
                } else if line.starts_with(')') {
                    table = None;
                } else if let (Some(table), Some(rest)) = (&table, line.strip_prefix("    ")) {
                    let name = rest.split(' ').next().unwrap_or_default().trim_matches('"');
                    if name.starts_with(|c: char| c.is_ascii_lowercase()) {
                        columns.push((table.clone(), name.to_owned()));
                    }
                }
            }
        }
        columns
    }

    #[test]
    fn every_column_of_ours_that_sounds_secret_is_redacted_or_known_to_be_none() {
        // Digests of what is not secret, public identifiers, numbers of tokens, and what people see.
        let open = [
            "analysis.findings.code_snippet",
            "attestations.verification_attestations.attestation_hash",
            "attestations.verification_attestations.previous_hash",
            "attestations.verification_attestations.prev_hash",
            "auth.api_key_rate_buckets.api_key_id",
            "auth.api_keys.key_prefix",
            "auth.invitations.api_key_id",
            "auth.jwt_keys.key_id",
            "auth.jwt_keys.public_key",
            "experiments_v1.blacklist.config_hash",
            "integrations.inbound_deliveries.payload_hash",
            "production.code_review_results.code_language",
            "production.code_review_results.code_length",
            "projects.baselines.metric_key",
            "projects.policies.rego_code",
            "providers.cost_alerts.last_triggered_at",
            "providers.user_providers.key_last_4_chars",
            "quarantine.quarantine_records.config_hash",
        ];
        let sounds_secret = |column: &str| {
            let parts: Vec<&str> = column.split('_').collect();
            [
                "hash",
                "key",
                "token",
                "secret",
                "password",
                "totp",
                "encrypted",
                "dek",
                "code",
                "salt",
                "otp",
            ]
            .iter()
            .any(|word| parts.contains(word))
        };
        let columns = deployed_columns();
        assert!(columns.len() > 400, "{}", columns.len());
        let told: Vec<String> = columns
            .iter()
            .filter(|(table, column)| sounds_secret(column) && !table.starts_with("audits."))
            .filter(|(table, column)| treatment(&[], table, column) != Treatment::Redact)
            .map(|(table, column)| format!("{table}.{column}"))
            .filter(|name| !open.contains(&name.as_str()))
            .collect();
        assert_eq!(told, Vec::<String>::new());
    }

    #[test]
    fn every_column_that_tenants_may_not_read_is_redacted() {
        let mut seen = 0;
        for file in DEPLOYED {
            for line in file.text.lines() {
                let Some(rest) = line.strip_prefix("COMMENT ON COLUMN ") else {
                    continue;
                };
                let hidden = [
                    "Not readable by tenants",
                    "tenants cannot read it",
                    "SHA-256 of the cookie token",
                    "SHA-256 of the refresh token",
                    "SHA-256 of the reset token",
                    "whoever has it can post",
                ];
                if !hidden.iter().any(|words| rest.contains(words)) {
                    continue;
                }
                let name = rest.split(' ').next().unwrap_or_default();
                let (table, column) = name.rsplit_once('.').unwrap_or_default();
                // The ledger's own tables cannot be tracked.
                if table.starts_with("audits.") {
                    continue;
                }
                assert_eq!(treatment(&[], table, column), Treatment::Redact, "{name}");
                seen += 1;
            }
        }
        assert!(seen >= 12, "{seen}");
    }

    #[test]
    fn what_is_counted_or_shown_is_recorded() {
        for column in [
            "max_tokens",
            "tokens_input",
            "cost_per_1k_tokens",
            "key_prefix",
            "name",
            "email",
            "pinned",
            "opinion",
            "spinning",
            "option",
            "api_key_id",
            "config_hash",
            "salted",
            "desk",
        ] {
            assert_eq!(
                treatment(&[], "public.t", column),
                Treatment::Record,
                "{column}"
            );
        }
    }
}
