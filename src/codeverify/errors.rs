//! The one table of the error codes that the extension raises itself (class `VC`).
//!
//! Every code has a name, a SQLSTATE and a hint that says what to do. SQL files raise the same
//! codes with `ERRCODE = 'VCxxx'`; a test below holds them to this table, and docs/errors.md lists it.

use thiserror::Error;

/// What can go wrong, with the facts that the message needs. Display is the message, in
/// PostgreSQL's style; no variant ever holds a secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    #[error("only a superuser can deploy codeverify")]
    DeployNeedsSuperuser,
    #[error("some of the codeverify objects exist already")]
    PartlyDeployed { existing: Vec<String> },
    #[error("tables of codeverify have lost their isolation")]
    Unprotected { tables: Vec<String> },
    #[error("removing all codeverify data was not confirmed")]
    NotConfirmed { database: String },
    #[error("the transaction already acts for another identity")]
    ContextConflict,
    #[error("no organization in context")]
    ContextMissing,
    #[error("only codeverify_service may take on an identity")]
    NotTrusted,
    #[error("user {user_id} is not a member of organization {org_id}")]
    NotAMember { user_id: String, org_id: String },
    #[error("organization {org_id} does not exist")]
    NoSuchOrganization { org_id: String },
    #[error("the member role in context does not allow this")]
    RoleNotAllowed { permission: &'static str },
    #[error("\"{permission}\" is not a permission")]
    UnknownPermission { permission: String },
    #[error("invalid API key request: {problem}")]
    InvalidApiKeyRequest { problem: String },
    #[error("invalid invitation request: {problem}")]
    InvalidInvitationRequest { problem: String },
    #[error("{table} must not be locked against others")]
    TableLockRefused { table: String },
    #[error("invalid change of the key: {problem}")]
    InvalidReencryption { problem: &'static str },
    #[error("invalid rate limit: {problem}")]
    InvalidRateLimit { problem: &'static str },
    #[error("analysis {analysis_id} does not exist")]
    NoSuchAnalysis { analysis_id: String },
    #[error("analysis {analysis_id} is {status}, not running")]
    AnalysisNotRunning { analysis_id: String, status: String },
    #[error("invalid SARIF log: {problem}")]
    InvalidSarif { path: String, problem: String },
    #[error("the SARIF log is too large: {bytes} bytes")]
    SarifTooLarge { bytes: usize, limit: usize },
    #[error("reading the SARIF log would take {memory} bytes of memory")]
    SarifTakesTooMuch { memory: usize, limit: usize },
    #[error("audits.record_changes() was not called by a trigger of audits.track()")]
    NotACaptureTrigger,
    #[error("{column} of a ledger entry cannot be given")]
    LedgerColumns { column: &'static str },
    #[error("an entry that arrives with hashes needs a valid {column}")]
    IncompleteArrival { column: &'static str },
    #[error("entry {seq} of lane {lane} does not fit its {field}")]
    ChainMismatch {
        field: &'static str,
        lane: i32,
        seq: i64,
    },
    #[error("entry {seq} of lane {lane} exists already")]
    EntryExists { lane: i32, seq: i64 },
    #[error("action \"{action}\" is reserved")]
    ReservedAction { action: String },
    #[error("entity \"{entity}\" is reserved in the platform's ledger")]
    ReservedEntity { entity: String },
    #[error("the entry would go to the ledger of another organization")]
    AnotherLedger,
    #[error("the entry names another user than the one in context")]
    AnotherActor,
    #[error("the last entry of a lane cannot be read")]
    UnreadableHead,
    #[error("a partition of audits.audit_log has no index on org_id, lane and seq")]
    NoLaneIndex,
    #[error("audits.chain_entry() is the trigger function of audits.audit_log, before insert for each row")]
    NotTheLedgersTrigger,
    #[error("{command} on {table} is refused")]
    LedgerRows {
        command: &'static str,
        table: String,
    },
    #[error("{object} is guarded against {command}")]
    LedgerDefinition { command: String, object: String },
    #[error("the guards of the ledger are called by its triggers only")]
    NotAGuard,
    #[error("{partition} cannot be archived")]
    NotArchivable {
        partition: String,
        reason: String,
        hint: &'static str,
    },
    #[error("archive {archive} does not exist, or was pruned before")]
    NothingToPrune { archive: String },
    #[error("retention is locked until {until}")]
    RetentionLocked { until: String },
    #[error("partition {partition} does not verify")]
    PartitionDamaged { partition: String, problem: String },
    #[error("an archive of the ledger is damaged")]
    ArchiveDamaged { segment: String, problem: String },
    #[error("{function}() needs a transaction at READ COMMITTED")]
    NeedsReadCommitted {
        function: &'static str,
        code: &'static str,
    },
    #[error("a personal field of the entry cannot be stored")]
    PersonalField { problem: String },
    #[error("the ledger of another organization cannot be verified")]
    LedgerNotYours,
    #[error("audits.tally() is the only caller of the functions that it is made of")]
    NotInAnAggregate,
    #[error("the ledger's key file cannot be used: {problem}")]
    UnusableKeyFile { problem: &'static str },
    #[error("\"{name}\" cannot be the name of a key")]
    InvalidKeyName { name: String },
    #[error("the ledger's origin cannot be written in a checkpoint")]
    InvalidOrigin,
    #[error("the ledger's tree has never had {tree_size} leaves")]
    NoSuchTree { tree_size: i64, current: u64 },
    #[error("a tree of {tree_size} leaves has no leaf {leaf_index}")]
    NoSuchLeaf { leaf_index: i64, tree_size: i64 },
    #[error("a tree of {new_size} leaves does not continue one of {old_size}")]
    NotAContinuation { old_size: i64, new_size: i64 },
    #[error("the ledger's Merkle tree is damaged")]
    TreeDamaged { problem: String },
    #[error("invalid key of web tokens: {problem}")]
    InvalidJwtKey { problem: String },
    #[error("only the user in context or codeverify_service may do this")]
    NotYourUser,
    #[error("secrets at rest cannot be encrypted or decrypted: {problem}")]
    UnusableEncryptionKey { problem: &'static str },
    #[error("only codeverify_service may do this, outside of a context")]
    NotTheService,
    #[error("only codeverify_admin may do this")]
    NotTheAdministrator,
    #[error("the text is no hash of a password that can be verified")]
    InvalidPasswordHash,
    #[error("invalid request about a user: {problem}")]
    InvalidUserRequest { problem: &'static str },
    #[error("user {user_id} does not exist")]
    NoSuchUser { user_id: String },
    #[error("packed segment {segment} is damaged")]
    SegmentDamaged { segment: String, problem: String },
    #[error("\"{level}\" is not a level")]
    UnknownLevel { level: String },
    #[error("the search stopped after {limit} lines that no index has the words or values of")]
    SearchCut { limit: i64, time: String, id: i64 },
    #[error("{partition} cannot be packed")]
    NotPackable { partition: String, reason: String },
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    #[error("\"{definition}\" is not the definition of an index")]
    InvalidIndexDefinition { definition: String, problem: String },
    #[error("{table} is not partitioned by range of one date or timestamptz column")]
    NotASet { table: String },
    #[error("\"{period}\" is no period of partitions")]
    NotAPeriod { period: String },
    #[error("rows of {table} cannot be moved into a partition")]
    RowsCannotMove { table: String },
    #[error("codeverify_owner may not act for {owner}, who owns {table}")]
    NotForItsOwner {
        table: String,
        owner: String,
        superuser: bool,
    },
    #[error("\"{name}\" is neither a task nor a target of maintenance")]
    UnknownMaintenance {
        name: String,
        tasks: Vec<String>,
        targets: Vec<String>,
    },
    #[error("maintenance cannot run here: {problem}")]
    MaintenanceUnavailable {
        problem: &'static str,
        hint: &'static str,
    },
    #[error("invalid secret of inbound deliveries: {problem}")]
    InvalidInboundSecret { problem: &'static str },
}

/// Every code of class VC with its meaning: the table that docs/errors.md is checked against.
#[cfg(test)]
pub const CODES: &[(&str, &str)] = &[
    ("VC001", "schemas_conflict"),
    ("VC002", "not_confirmed"),
    ("VC003", "partly_deployed"),
    ("VC004", "deploy_needs_superuser"),
    ("VC005", "encoding_not_supported"),
    ("VC010", "context_conflict"),
    ("VC011", "context_missing"),
    ("VC012", "not_a_member"),
    ("VC013", "last_owner"),
    ("VC014", "role_not_allowed"),
    ("VC015", "no_such_organization"),
    ("VC016", "not_isolatable"),
    ("VC017", "unknown_permission"),
    ("VC018", "author_not_in_context"),
    ("VC020", "invalid_api_key_request"),
    ("VC021", "invalid_password_hash"),
    ("VC022", "invalid_user_request"),
    ("VC023", "no_such_user"),
    ("VC024", "unusable_encryption_key"),
    ("VC025", "invalid_invitation_request"),
    ("VC027", "invalid_rate_limit"),
    ("VC028", "invalid_jwt_key"),
    ("VC029", "not_bindable"),
    ("VC030", "no_such_repository"),
    ("VC031", "repository_disabled"),
    ("VC040", "no_such_analysis"),
    ("VC041", "illegal_transition"),
    ("VC042", "no_such_finding"),
    ("VC043", "invalid_sarif"),
    ("VC044", "sarif_too_large"),
    ("VC050", "ledger_columns"),
    ("VC051", "chain_mismatch"),
    ("VC052", "reserved_action"),
    ("VC053", "ledger_is_final"),
    ("VC054", "not_trackable"),
    ("VC055", "invalid_signing_key"),
    ("VC056", "no_such_tree"),
    ("VC057", "tree_damaged"),
    ("VC058", "not_archivable"),
    ("VC059", "retention_locked"),
    ("VC060", "archive_damaged"),
    ("VC061", "invalid_personal_field"),
    ("VC062", "ledger_not_accessible"),
    ("VC090", "no_randomness"),
    ("VC091", "invalid_partition_set"),
    ("VC092", "not_partitionable"),
    ("VC093", "not_for_its_owner"),
    ("VC095", "unknown_maintenance"),
    ("VC096", "maintenance_unavailable"),
    ("VC100", "not_an_array_of_logs"),
    ("VC101", "arrays_differ_in_length"),
    ("VC102", "invalid_log_query"),
    ("VC103", "log_search_cut"),
    ("VC105", "segment_damaged"),
    ("VC106", "not_packable"),
    ("VC107", "not_unpackable"),
    ("VC110", "invalid_alert_rule"),
    ("VC111", "no_such_incident"),
    ("VC112", "incident_goes_on"),
    ("VC113", "evaluation_ahead_of_time"),
    ("VC114", "alert_rule_not_evaluated"),
    ("VC115", "invalid_inbound_secret"),
    ("VC116", "installation_taken"),
    ("VC120", "events_are_final"),
    ("VC121", "refresh_at_read_committed"),
    ("VC122", "invalid_attribution"),
    ("VC123", "no_such_report"),
    ("VC145", "query_too_long"),
    ("VC150", "invalid_reencryption"),
    ("VC151", "table_lock_refused"),
];

impl Error {
    /// The SQLSTATE.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotConfirmed { .. } => "VC002",
            Error::PartlyDeployed { .. } | Error::Unprotected { .. } => "VC003",
            Error::DeployNeedsSuperuser => "VC004",
            Error::ContextConflict => "VC010",
            Error::ContextMissing => "VC011",
            Error::NotAMember { .. } => "VC012",
            Error::RoleNotAllowed { .. }
            | Error::NotTrusted
            | Error::AnotherLedger
            | Error::NotYourUser
            | Error::NotTheService
            | Error::NotTheAdministrator => "VC014",
            Error::NoSuchOrganization { .. } => "VC015",
            Error::UnknownPermission { .. } => "VC017",
            Error::InvalidApiKeyRequest { .. } => "VC020",
            Error::InvalidInvitationRequest { .. } => "VC025",
            Error::InvalidPasswordHash => "VC021",
            Error::InvalidUserRequest { .. } => "VC022",
            Error::NoSuchUser { .. } => "VC023",
            Error::InvalidJwtKey { .. } => "VC028",
            Error::NoSuchAnalysis { .. } => "VC040",
            Error::AnalysisNotRunning { .. } => "VC041",
            Error::InvalidSarif { .. } => "VC043",
            Error::SarifTooLarge { .. } | Error::SarifTakesTooMuch { .. } => "VC044",
            Error::AnotherActor => "VC018",
            Error::LedgerColumns { .. }
            | Error::IncompleteArrival { .. }
            | Error::NotTheLedgersTrigger => "VC050",
            Error::ChainMismatch { .. }
            | Error::EntryExists { .. }
            | Error::UnreadableHead
            | Error::NoLaneIndex => "VC051",
            Error::ReservedAction { .. } | Error::ReservedEntity { .. } => "VC052",
            Error::LedgerRows { .. } | Error::LedgerDefinition { .. } | Error::NotAGuard => "VC053",
            Error::NotACaptureTrigger => "VC054",
            Error::NotArchivable { .. } | Error::NothingToPrune { .. } => "VC058",
            Error::RetentionLocked { .. } => "VC059",
            Error::PartitionDamaged { .. } | Error::ArchiveDamaged { .. } => "VC060",
            Error::NeedsReadCommitted { code, .. } => code,
            Error::PersonalField { .. } => "VC061",
            Error::LedgerNotYours | Error::NotInAnAggregate => "VC062",
            Error::UnusableKeyFile { .. } | Error::InvalidKeyName { .. } | Error::InvalidOrigin => {
                "VC055"
            }
            Error::NoSuchTree { .. }
            | Error::NoSuchLeaf { .. }
            | Error::NotAContinuation { .. } => "VC056",
            Error::TreeDamaged { .. } => "VC057",
            Error::UnusableEncryptionKey { .. } => "VC024",
            Error::InvalidRateLimit { .. } => "VC027",
            Error::InvalidReencryption { .. } => "VC150",
            Error::TableLockRefused { .. } => "VC151",
            Error::NoRandomness => "VC090",
            Error::InvalidIndexDefinition { .. } | Error::NotAPeriod { .. } => "VC091",
            Error::NotASet { .. } | Error::RowsCannotMove { .. } => "VC092",
            Error::NotForItsOwner { .. } => "VC093",
            Error::UnknownMaintenance { .. } => "VC095",
            Error::MaintenanceUnavailable { .. } => "VC096",
            Error::UnknownLevel { .. } => "VC102",
            Error::SearchCut { .. } => "VC103",
            Error::SegmentDamaged { .. } => "VC105",
            Error::NotPackable { .. } => "VC106",
            Error::InvalidInboundSecret { .. } => "VC115",
        }
    }

    /// The DETAIL line, where the message does not say it all.
    pub fn detail(&self) -> Option<String> {
        match self {
            Error::PartlyDeployed { existing } => Some(format!("These exist: {}.", existing.join(", "))),
            Error::Unprotected { tables } => Some(format!("These have: {}.", tables.join(", "))),
            Error::NotConfirmed { .. } => {
                Some("All tables, types and views of codeverify and every row in them would be dropped.".into())
            }
            Error::ContextConflict => Some(
                "Rows read under the first identity may still be held by cursors or plans of this transaction.".into(),
            ),
            Error::InvalidIndexDefinition { problem, .. } => Some(format!("What is wrong: {problem}.")),
            Error::NotForItsOwner { superuser: true, .. } => {
                Some("What stands in a superuser's table, such as a trigger, would run with all rights.".into())
            }
            Error::NotForItsOwner { .. } => {
                Some("Partitions are made and removed with the rights of the table's owner.".into())
            }
            Error::RoleNotAllowed { permission } => Some(format!("It takes the permission \"{permission}\".")),
            Error::InvalidSarif { path, .. } => Some(format!("The fault is at {path}.")),
            Error::SarifTooLarge { limit, .. } | Error::SarifTakesTooMuch { limit, .. } => Some(format!("The limit is {limit} bytes (at $).")),
            Error::LedgerColumns { .. } => Some("The ledger sets id, ts, lane, seq, signature and prev_hash itself.".into()),
            Error::ChainMismatch { field, .. } => Some(match *field {
                "signature" => "Field signature is not the hash of the entry, or not the one that the next entry continues.".into(),
                "ts" => "Field ts is not between those of the entries before and after it.".into(),
                _ => "Field prev_hash is not the signature of the entry before it.".into(),
            }),
            Error::EntryExists { .. } => Some("A second one would fork the lane.".into()),
            Error::ReservedAction { .. } => Some("Actions that begin with row. or table. tell of captured changes.".into()),
            Error::ReservedEntity { .. } => Some("What the platform's ledger says of the ledger itself is written by its own functions.".into()),
            Error::LedgerRows { .. } => Some("What the ledger holds is final.".into()),
            Error::LedgerDefinition { .. } => Some("It is part of the ledger, or what keeps the ledger from being changed.".into()),
            Error::NotArchivable { reason, .. } => Some(reason.clone()),
            Error::PartitionDamaged { problem, .. } => Some(format!("What is wrong: {problem}.")),
            Error::ArchiveDamaged { segment, problem } => Some(format!("Segment {segment}: {problem}.")),
            Error::NeedsReadCommitted { .. } => Some("An older snapshot might not see all that was committed.".into()),
            Error::PersonalField { problem } => Some(problem.clone()),
            Error::SegmentDamaged { problem, .. } => Some(format!("What is wrong: {problem}.")),
            Error::SearchCut { time, .. } => Some(format!("Lines before {time} were not looked at.")),
            Error::NotPackable { reason, .. } => Some(reason.clone()),
            Error::NoSuchTree { current, .. } => Some(format!("At the last checkpoint it had {current}.")),
            Error::NoSuchLeaf { .. } => Some("Leaves are counted from 0.".into()),
            Error::TreeDamaged { problem } => Some(problem.clone()),
            _ => None,
        }
    }

    /// The HINT line: what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Error::DeployNeedsSuperuser => "Connect as a superuser.".into(),
            Error::PartlyDeployed { .. } => {
                "Restore the missing objects from a backup, or move the existing ones away and deploy again.".into()
            }
            Error::Unprotected { .. } => {
                "Restore the database from a backup; DROP EXTENSION ... CASCADE and DROP OWNED take policies and triggers away.".into()
            }
            Error::NotConfirmed { database } => {
                format!("To go on, pass the name of this database: SELECT codeverify.uninstall('{database}');")
            }
            Error::ContextConflict => "End this transaction and use a new one for each identity.".into(),
            Error::ContextMissing => {
                "Call auth.authenticate_session(…), auth.authenticate_api_key(…) or tenancy.assume(…) first, in the same transaction.".into()
            }
            Error::NotTrusted => "Authenticate with auth.authenticate_session(...) or auth.authenticate_api_key(...) instead.".into(),
            Error::InvalidJwtKey { .. } => {
                "See COMMENT ON FUNCTION auth.add_jwt_key for what each argument may be.".into()
            }
            Error::InvalidInboundSecret { .. } => {
                "See COMMENT ON FUNCTION integrations.set_inbound_secret for what each argument may be.".into()
            }
            Error::NotTheService => "Connect as a login of codeverify_service, and call it in a transaction that acts for no tenant.".into(),
            Error::NotTheAdministrator => "Connect as a login of codeverify_admin.".into(),
            Error::InvalidPasswordHash => {
                "It must be a PHC string of Argon2 of at most 1 GB, 16 iterations and 16 lanes, or a bcrypt hash ($2a$, $2b$, $2y$) of cost 4 to 15.".into()
            }
            Error::InvalidUserRequest { .. } => "See the function's COMMENT for what each argument may be.".into(),
            Error::NoSuchUser { .. } => "Check the id; auth.register_user(…) makes users.".into(),
            Error::NotYourUser => "Call it as that user, or as codeverify_service outside of a context.".into(),
            Error::NotAMember { .. } => "Add the user with tenancy.add_member(org_id, user_id, role).".into(),
            Error::RoleNotAllowed { .. } => {
                "Ask an owner or administrator of the organization, or use a key with a wider scope.".into()
            }
            Error::NoSuchOrganization { .. } => {
                "Create it with tenancy.create_organization(name), or check the id.".into()
            }
            Error::UnknownPermission { .. } => "Use one of read, write, manage and own.".into(),
            Error::InvalidApiKeyRequest { .. } => {
                "See COMMENT ON FUNCTION auth.create_api_key and auth.rotate_api_key for what each argument may be.".into()
            }
            Error::InvalidInvitationRequest { .. } => {
                "See COMMENT ON FUNCTION auth.create_invitation for what each argument may be.".into()
            }
            Error::InvalidReencryption { .. } => {
                "Begin with SELECT * FROM codeverify.reencrypt_some(1000), and pass what it returns as reached on to the next call.".to_owned()
            }
            Error::TableLockRefused { .. } => {
                "Lock rows with SELECT ... FOR UPDATE, or take an advisory lock. A superuser may set codeverify.refuse_table_locks to off.".to_owned()
            }
            Error::InvalidRateLimit { .. } => {
                "Give a key's id, a limit of 0 or more, and a cost of 1 or more.".into()
            }
            Error::NoSuchAnalysis { .. } => "Check the id and the organization in context.".into(),
            Error::AnalysisNotRunning { .. } => "Start a new analysis with analysis.start_analysis(…).".into(),
            Error::InvalidSarif { .. } => {
                "The log must follow SARIF 2.1.0; nothing was written, so it can be mended and sent again.".into()
            }
            Error::SarifTooLarge { .. } | Error::SarifTakesTooMuch { .. } => {
                "Split the log by run, or raise codeverify.sarif_max_size.".into()
            }
            Error::NotACaptureTrigger => "Make the triggers with audits.track(...).".into(),
            Error::LedgerColumns { .. } => "Leave the column out; if it was, run the statement again.".into(),
            Error::IncompleteArrival { .. } => "Copy the entry with all its columns.".into(),
            Error::ChainMismatch { .. } => "The entry was changed on its way: restore an unchanged copy.".into(),
            Error::EntryExists { .. } => "Restore into a ledger that does not have the entry.".into(),
            Error::ReservedAction { .. } => "Choose another name, such as project.renamed.".into(),
            Error::ReservedEntity { .. } => "Choose another name, one that does not begin with audits.".into(),
            Error::AnotherLedger => "Leave org_id out, or act for that organization.".into(),
            Error::AnotherActor => "Leave actor_id out: the entry is signed by the user in context.".into(),
            Error::UnreadableHead => "Run audits.verify_chain() to see what was changed.".into(),
            Error::NoLaneIndex => "Create the index (org_id, lane, seq) on the partition, as on the others.".into(),
            Error::NotTheLedgersTrigger => "Record changes of other tables with audits.track().".into(),
            Error::LedgerRows { .. } => {
                "Append another entry that sets right what this one says; old entries leave with their partition, by audits.archive_partition().".into()
            }
            Error::LedgerDefinition { .. } => "Superusers may do it; audits.verify() shows what they did to entries.".into(),
            Error::NotAGuard => "Use the triggers that codeverify.deploy() makes.".into(),
            Error::NotArchivable { hint, .. } => (*hint).into(),
            Error::NothingToPrune { .. } => "SELECT * FROM audits.list_archives() lists them.".into(),
            Error::RetentionLocked { .. } => "Wait until then: a retention lock cannot be lifted.".into(),
            Error::PartitionDamaged { .. } => {
                "Nothing was archived. SELECT * FROM audits.verify_chain() tells what was changed.".into()
            }
            Error::ArchiveDamaged { .. } => {
                "SELECT * FROM audits.verify_archives() tells what was changed; restore the segment from a backup.".into()
            }
            Error::NeedsReadCommitted { .. } => "Call it in a transaction at READ COMMITTED.".into(),
            Error::PersonalField { .. } => {
                "Write {\"$personal\": value, \"subject\": \"uuid\"}, or give the entry the actor_id or resource_id that the field concerns.".into()
            }
            Error::LedgerNotYours => "Leave org_id out to verify the ledger of the organization in context; auditors verify any.".into(),
            Error::NotInAnAggregate => "Verify with audits.verify_chain().".into(),
            Error::UnusableKeyFile { .. } => {
                "Put a key of audits.create_signing_key() into a file that only the server's user can read, and name it in codeverify.ledger_key_file.".into()
            }
            Error::InvalidKeyName { .. } => "Use one such as example.org/ledger, without spaces and plus signs.".into(),
            Error::InvalidOrigin => "Set codeverify.ledger_origin to one line such as example.org/ledger.".into(),
            Error::NoSuchTree { .. } => "Make a checkpoint with audits.checkpoint(), or see audits.checkpoints.".into(),
            Error::NoSuchLeaf { .. } => "Find an entry's leaf with audits.leaf_index(id).".into(),
            Error::NotAContinuation { .. } => "Give the smaller size first.".into(),
            Error::TreeDamaged { .. } => {
                "Somebody changed audits.merkle_tiles or audits.checkpoints: compare with audits.verify_against(note) and a note that was kept outside, and restore from a backup.".into()
            }
            Error::UnusableEncryptionKey { .. } => {
                "Put a line of codeverify.create_encryption_key() into a file that only the server's user can read, and name it in codeverify.encryption_key_file; keep the lines of former keys below it.".into()
            }
            Error::InvalidIndexDefinition { .. } => {
                "Give what follows the table's name in CREATE INDEX, such as USING gin (meta_json jsonb_path_ops).".into()
            }
            Error::NotAPeriod { .. } => "Use one of day, week and month.".into(),
            Error::NotASet { .. } => {
                "Create the table with PARTITION BY RANGE (...) on one such column, or turn one into it with codeverify.partition_table(...).".into()
            }
            Error::RowsCannotMove { .. } => {
                "Move them by hand: it is not an ordinary table of the access method heap.".into()
            }
            Error::NotForItsOwner { superuser: true, .. } => {
                "Give the table to a role that is no superuser, and GRANT that role TO codeverify_owner.".into()
            }
            Error::NotForItsOwner { owner, .. } => format!("GRANT \"{owner}\" TO codeverify_owner."),
            Error::UnknownMaintenance { tasks, targets, .. } => format!(
                "Give a task ({}) or a target ({}), or nothing for all.",
                tasks.join(", "),
                targets.join(", ")
            ),
            Error::MaintenanceUnavailable { hint, .. } => (*hint).into(),
            Error::UnknownLevel { .. } => {
                "Use one of trace, debug, info, warn, error and fatal.".into()
            }
            Error::SearchCut { id, .. } => {
                format!("Go on with before_id => {id}, or narrow the search.")
            }
            Error::SegmentDamaged { .. } => {
                "Restore the row of codeverify.packed_segments from a backup; SELECT * FROM codeverify.verify_packed() lists all that is damaged.".into()
            }
            Error::NotPackable { .. } => "Its rows stay where they are; set compress_after to NULL to leave them there for good.".into(),
            Error::NoRandomness => "Check that the server process may read the system's random source.".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codeverify::deploy::{DEPLOYED, INSTALLED};

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, name) in CODES {
            assert!(code.len() == 5 && code.starts_with("VC"), "{code}");
            assert!(seen.insert(code), "{code} twice");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}"
            );
        }
    }

    #[test]
    fn sql_files_raise_only_codes_of_the_table() {
        for file in INSTALLED.iter().chain(DEPLOYED) {
            for (at, _) in file.text.match_indices("'VC") {
                let code = &file.text[at + 1..at + 6];
                assert!(
                    CODES.iter().any(|(known, _)| *known == code),
                    "{}: {code}",
                    file.path
                );
            }
        }
    }

    #[test]
    fn documentation_lists_every_code() {
        let page = include_str!("../../docs/errors.md");
        for (code, name) in CODES {
            assert!(
                page.contains(&format!("| `{code}` | `{name}` |")),
                "{code} {name}"
            );
        }
    }
}
