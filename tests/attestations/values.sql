-- Attestations and badges: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('attestations.verification_attestations', $$attestation_hash = repeat('a', 63)$$, 'verification_attestations_attestation_hash_check'),
       ('attestations.verification_attestations', $$attestation_hash = repeat('A', 64)$$, 'verification_attestations_attestation_hash_check'),
       ('attestations.verification_attestations', $$attestation_hash = repeat('g', 64)$$, 'verification_attestations_attestation_hash_check'),
       ('attestations.verification_attestations', $$attestation_type = 'PR'$$, 'verification_attestations_attestation_type_check'),
       ('attestations.verification_attestations', $$attestation_type = 'pr'$$, NULL),
       ('attestations.verification_attestations', $$attestation_type = 'commit'$$, NULL),
       ('attestations.verification_attestations', $$attestation_type = 'release'$$, NULL),
       ('attestations.verification_attestations', $$commit_sha = repeat('a', 39)$$, 'verification_attestations_commit_sha_check'),
       ('attestations.verification_attestations', $$commit_sha = repeat('A', 40)$$, 'verification_attestations_commit_sha_check'),
       ('attestations.verification_attestations', $$commit_sha = repeat('a', 41)$$, 'verification_attestations_commit_sha_check'),
       ('attestations.verification_attestations', $$commit_sha = repeat('a', 40) || E'\n'$$, 'verification_attestations_commit_sha_check'),
       ('attestations.verification_attestations', $$commit_sha = 'HEAD'$$, 'verification_attestations_commit_sha_check'),
       ('attestations.verification_attestations', $$commit_sha = repeat('0', 64)$$, NULL),
       ('attestations.verification_attestations', $$evidence = '[]'$$, 'verification_attestations_evidence_check'),
       ('attestations.verification_attestations', $$evidence = 'null'$$, 'verification_attestations_evidence_check'),
       ('attestations.verification_attestations', $$expires_at = created_at$$, 'verification_attestations_expires_at_check'),
       ('attestations.verification_attestations', $$file_paths = '{}'$$, 'verification_attestations_file_paths_check'),
       ('attestations.verification_attestations', $$file_paths = 'null'$$, 'verification_attestations_file_paths_check'),
       ('attestations.verification_attestations', $$metadata = '[]'$$, 'verification_attestations_metadata_check'),
       ('attestations.verification_attestations', $$metadata = 'null'$$, 'verification_attestations_metadata_check'),
       ('attestations.verification_attestations', $$ref = ''$$, 'verification_attestations_ref_check'),
       ('attestations.verification_attestations', $$ref = repeat('x', 256)$$, 'verification_attestations_ref_check'),
       ('attestations.verification_attestations', $$ref = repeat('x', 255)$$, NULL),
       ('attestations.verification_attestations', $$repo_full_name = ''$$, 'verification_attestations_repo_full_name_check'),
       ('attestations.verification_attestations', $$repo_full_name = repeat('x', 513)$$, 'verification_attestations_repo_full_name_check'),
       ('attestations.verification_attestations', $$repo_full_name = repeat('x', 512)$$, NULL),
       ('attestations.verification_attestations', $$scope = '[]'$$, 'verification_attestations_scope_check'),
       ('attestations.verification_attestations', $$scope = 'null'$$, 'verification_attestations_scope_check'),
       ('attestations.verification_attestations', $$tier = ''$$, 'verification_attestations_tier_check'),
       ('attestations.verification_attestations', $$tier = repeat('x', 51)$$, 'verification_attestations_tier_check'),
       ('attestations.verification_attestations', $$tier = repeat('x', 50)$$, NULL),
       ('attestations.verification_attestations', $$parent_attestation_id = id$$, 'verification_attestations_parent_check'),
       ('attestations.verification_badges', $$config = '[]'$$, 'verification_badges_config_check'),
       ('attestations.verification_badges', $$config = 'null'$$, 'verification_badges_config_check'),
       ('attestations.verification_badges', $$expires_at = created_at$$, 'verification_badges_expires_at_check'),
       ('attestations.verification_badges', $$repo_full_name = ''$$, 'verification_badges_repo_full_name_check'),
       ('attestations.verification_badges', $$repo_full_name = repeat('x', 513)$$, 'verification_badges_repo_full_name_check'),
       ('attestations.verification_badges', $$repo_full_name = repeat('x', 512)$$, NULL),
       ('attestations.verification_badges', $$style = ''$$, 'verification_badges_style_check'),
       ('attestations.verification_badges', $$style = repeat('x', 51)$$, 'verification_badges_style_check'),
       ('attestations.verification_badges', $$style = repeat('x', 50)$$, NULL),
       ('attestations.verification_badges', $$tier = ''$$, 'verification_badges_tier_check'),
       ('attestations.verification_badges', $$tier = repeat('x', 51)$$, 'verification_badges_tier_check'),
       ('attestations.verification_badges', $$tier = repeat('x', 50)$$, NULL),
       ('attestations.verification_badges', $$token = ''$$, 'verification_badges_token_check'),
       ('attestations.verification_badges', $$token = repeat('x', 33)$$, 'verification_badges_token_check'),
       ('attestations.verification_badges', $$token = repeat('x', 32)$$, NULL),
       ('attestations.verification_badges', $$view_count = -1$$, 'verification_badges_view_count_check'),
       ('attestations.verification_badges', $$view_count = 0$$, NULL);

SELECT tap.test_values('attestations');

SELECT * FROM finish();
ROLLBACK;
