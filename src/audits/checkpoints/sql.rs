//! Functions of schema audits; their comments and grants are in sql/audits/checkpoints.sql.

use pgrx::prelude::*;
use pgrx::JsonB;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::keys::{SignerKey, VerifierKey};
use super::note::{Note, Verdict};
use super::stream::{first, Argument};
use super::tree::{self, Edge, Hash, Leaves};
use super::{against, collect, export, proof, store};
use crate::audits::archives;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::{as_owner, caller_has_role};
use crate::codeverify::raise::or_raise;
use crate::tenancy::context::require_permission;
use crate::tenancy::permission::Permission;

extension_sql_file!(
    "../../../sql/audits/checkpoints.sql",
    name = "audits_checkpoints",
    requires = [
        checkpoint,
        leaf_index,
        inclusion_proof,
        consistency_proof,
        tree_root,
        verify_inclusion,
        verify_consistency,
        merkle_leaf_hash,
        merkle_root,
        verify_note,
        verify_against,
        create_signing_key,
        verifier_key,
        export_tiles
    ]
);

#[pg_extern(schema = "audits", volatile, parallel_unsafe)]
fn checkpoint() -> String {
    let keys = or_raise(store::keys());
    or_raise(collect::checkpoint(keys.as_ref()))
}

#[pg_extern(schema = "audits", stable, parallel_restricted)]
fn leaf_index(id: i64) -> Option<i64> {
    let sees_all = caller_has_role(c"codeverify_admin") || caller_has_role(c"codeverify_auditor");
    let tenant = (!sees_all).then(|| or_raise(require_permission(Permission::Read)));
    let live = as_owner(|| {
        first(
            "SELECT a.org_id, a.lane, a.seq FROM audits.audit_log AS a \
             WHERE a.id = $1 AND (a.org_id = $2 OR $2 IS NULL)",
            &[Argument::Int8(id), Argument::Uuid(tenant)],
            |row| (row.uuid(1), row.int4(2), row.int8(3)),
        )
    });
    let archived = || {
        let entry = or_raise(archives::reading::find(id, tenant))?;
        Some((entry.org_id, entry.lane, entry.seq))
    };
    let (org_id, lane, seq) = live.or_else(archived)?;
    as_owner(|| find_leaf(org_id, lane, seq))
}

/// The leaf that an entry is, by its place.
fn find_leaf(org_id: Option<Uuid>, lane: i32, seq: i64) -> Option<i64> {
    // Each form is served by the index; one for both would not be.
    let sql = match org_id {
        Some(_) => {
            "SELECT c.first_leaf + $3 - c.first_seq FROM audits.checkpoint_lanes AS c \
             WHERE c.org_id = $1 AND c.lane = $2 AND c.last_seq >= $3 AND c.first_seq <= $3 \
             ORDER BY c.last_seq LIMIT 1"
        }
        None => {
            "SELECT c.first_leaf + $3 - c.first_seq FROM audits.checkpoint_lanes AS c \
             WHERE c.org_id IS NULL AND $1 IS NULL AND c.lane = $2 AND c.last_seq >= $3 AND c.first_seq <= $3 \
             ORDER BY c.last_seq LIMIT 1"
        }
    };
    let place = [
        Argument::Uuid(org_id),
        Argument::Int4(lane),
        Argument::Int8(seq),
    ];
    first(sql, &place, |row| row.int8(1))
}

#[pg_extern(schema = "audits", stable, parallel_restricted)]
fn inclusion_proof(leaf_index: i64, tree_size: i64) -> Vec<Vec<u8>> {
    or_raise(as_owner(|| {
        let size = checked_size(tree_size)?;
        let leaf = u64::try_from(leaf_index)
            .ok()
            .filter(|leaf| *leaf < size)
            .ok_or(Error::NoSuchLeaf {
                leaf_index,
                tree_size,
            })?;
        store::roots(&proof::inclusion(leaf, size)).map(to_bytes)
    }))
}

#[pg_extern(schema = "audits", stable, parallel_restricted)]
fn consistency_proof(old_size: i64, new_size: i64) -> Vec<Vec<u8>> {
    or_raise(as_owner(|| {
        let new = checked_size(new_size)?;
        let old = u64::try_from(old_size)
            .ok()
            .filter(|old| *old <= new)
            .ok_or(Error::NotAContinuation { old_size, new_size })?;
        store::roots(&proof::consistency(old, new)).map(to_bytes)
    }))
}

#[pg_extern(schema = "audits", stable, parallel_restricted)]
fn tree_root(tree_size: i64) -> Vec<u8> {
    or_raise(as_owner(|| {
        let size = checked_size(tree_size)?;
        let root = store::tiles().root(Leaves::all(size));
        root.map(Vec::from).map_err(store::damaged)
    }))
}

/// A size that the tree has or had.
fn checked_size(tree_size: i64) -> Result<u64, Error> {
    let current = store::current_size();
    u64::try_from(tree_size)
        .ok()
        .filter(|size| *size <= current)
        .ok_or(Error::NoSuchTree { tree_size, current })
}

fn to_bytes(hashes: Vec<Hash>) -> Vec<Vec<u8>> {
    hashes.into_iter().map(Vec::from).collect()
}

#[pg_extern(schema = "audits", immutable, parallel_safe)]
fn verify_inclusion(
    leaf_hash: &[u8],
    leaf_index: i64,
    tree_size: i64,
    proof: Array<&[u8]>,
    root: &[u8],
) -> bool {
    let verify = || {
        Some(proof::verify_inclusion(
            leaf_hash.try_into().ok()?,
            u64::try_from(leaf_index).ok()?,
            u64::try_from(tree_size).ok()?,
            &read_proof(&proof)?,
            root.try_into().ok()?,
        ))
    };
    verify().unwrap_or(false)
}

#[pg_extern(schema = "audits", immutable, parallel_safe)]
fn verify_consistency(
    old_size: i64,
    new_size: i64,
    old_root: &[u8],
    new_root: &[u8],
    proof: Array<&[u8]>,
) -> bool {
    let verify = || {
        Some(proof::verify_consistency(
            u64::try_from(old_size).ok()?,
            u64::try_from(new_size).ok()?,
            old_root.try_into().ok()?,
            new_root.try_into().ok()?,
            &read_proof(&proof)?,
        ))
    };
    verify().unwrap_or(false)
}

/// The hashes of a proof; None when something in it is none.
fn read_proof(proof: &Array<&[u8]>) -> Option<Vec<Hash>> {
    proof.iter().map(|hash| hash?.try_into().ok()).collect()
}

#[pg_extern(schema = "audits", immutable, parallel_safe)]
fn merkle_leaf_hash(content: &[u8]) -> Vec<u8> {
    tree::hash_leaf(content).to_vec()
}

#[pg_extern(schema = "audits", immutable, parallel_safe)]
fn merkle_root(leaves: Array<&[u8]>) -> Option<Vec<u8>> {
    let mut edge = Edge::default();
    for leaf in leaves.iter() {
        edge.push(tree::hash_leaf(leaf?));
    }
    Some(edge.root().to_vec())
}

#[pg_extern(schema = "audits", immutable, parallel_safe)]
fn verify_note(note: &str, verifier_key: &str) -> bool {
    let verify = || {
        let key = VerifierKey::parse(verifier_key)?;
        Some(Note::parse(note)?.verify(&[key]) == Verdict::Valid)
    };
    verify().unwrap_or(false)
}

#[pg_extern(schema = "audits", stable, parallel_restricted)]
fn verify_against(note: &str) -> JsonB {
    let keys = or_raise(store::keys());
    JsonB(against::verify(note, keys.as_ref()))
}

#[pg_extern(schema = "audits", volatile, parallel_restricted)]
fn create_signing_key(
    name: &str,
) -> TableIterator<'static, (name!(private_key, String), name!(verifier_key, String))> {
    let key = or_raise(make_key(name));
    let private = key.format();
    TableIterator::once((private.to_string(), key.verifier().format()))
}

fn make_key(name: &str) -> Result<SignerKey, Error> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| Error::NoRandomness)?;
    SignerKey::from_seed(name, &seed).ok_or_else(|| Error::InvalidKeyName {
        name: name.to_owned(),
    })
}

#[pg_extern(schema = "audits", stable, parallel_restricted)]
fn verifier_key() -> Option<String> {
    or_raise(store::keys()).map(|keys| keys.signer.verifier().format())
}

#[pg_extern(schema = "audits", stable, parallel_restricted)]
fn export_tiles(
    tree_size: default!(Option<i64>, "NULL"),
    since: default!(Option<i64>, "NULL"),
) -> TableIterator<'static, (name!(path, String), name!(content, Vec<u8>))> {
    let (size, note) = or_raise(as_owner(|| {
        let size = match tree_size {
            Some(size) => checked_size(size)?,
            None => store::current_size(),
        };
        let note = first(
            "SELECT c.note FROM audits.checkpoints AS c WHERE c.tree_size = $1",
            &[Argument::Int8(store::number(size))],
            |row| row.text(1).map(ToOwned::to_owned),
        );
        Ok((size, note.flatten()))
    }));
    let checkpoint = note.map(|note| ("checkpoint".to_owned(), note.into_bytes()));
    let tiles = export::tiles(store::size(since.unwrap_or(0)), size).map(|tile| {
        // Each is read when it is asked for: all of them may be more than memory holds.
        let content = as_owner(|| {
            let mut stored = store::tiles();
            tile.content(|node| stored.node(node))
        });
        (tile.path(), or_raise(content.map_err(store::damaged)))
    });
    TableIterator::new(tiles.chain(checkpoint))
}
