//! Inclusion and consistency proofs of RFC 6962: what they consist of, and what they prove.

use super::tree::{hash_children, Hash, Leaves, EMPTY_ROOT};

/// Of which leaves an inclusion proof has the roots, in its order. `index` is below `tree_size`.
pub fn inclusion(index: u64, tree_size: u64) -> Vec<Leaves> {
    let mut path = Vec::new();
    let mut within = Leaves::all(tree_size);
    while within.count() > 1 {
        let (left, right) = within.split();
        let sibling;
        (within, sibling) = if index < left.end {
            (left, right)
        } else {
            (right, left)
        };
        path.push(sibling);
    }
    path.reverse();
    path
}

/// Of which leaves a consistency proof has the roots, in its order. `old_size` is not above `new_size`.
pub fn consistency(old_size: u64, new_size: u64) -> Vec<Leaves> {
    if old_size == 0 {
        return Vec::new();
    }
    let mut proof = Vec::new();
    let mut within = Leaves::all(new_size);
    while old_size < within.end {
        let (left, right) = within.split();
        let sibling;
        (within, sibling) = if old_size <= left.end {
            (left, right)
        } else {
            (right, left)
        };
        proof.push(sibling);
    }
    // Where the old tree is this very subtree, the verifier knows its root already.
    if within.start > 0 {
        proof.push(within);
    }
    proof.reverse();
    proof
}

/// Whether the proof shows that the tree of this size and root has the leaf at this place.
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: u64,
    tree_size: u64,
    proof: &[Hash],
    root: &Hash,
) -> bool {
    if index >= tree_size {
        return false;
    }
    let expected = inclusion(index, tree_size);
    if expected.len() != proof.len() {
        return false;
    }
    let computed = expected
        .iter()
        .zip(proof)
        .fold(*leaf_hash, |hash, (sibling, given)| {
            if sibling.start > index {
                hash_children(&hash, given)
            } else {
                hash_children(given, &hash)
            }
        });
    computed == *root
}

/// Whether the proof shows that the old tree's leaves are the first of the new tree's. Every tree continues
/// the empty one.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> bool {
    let is_empty = |size, root: &Hash| size > 0 || *root == EMPTY_ROOT;
    if old_size > new_size || !is_empty(old_size, old_root) || !is_empty(new_size, new_root) {
        return false;
    }
    let expected = consistency(old_size, new_size);
    if expected.len() != proof.len() {
        return false;
    }
    if old_size == 0 {
        return true;
    }
    if old_size == new_size {
        return old_root == new_root;
    }
    let mut parts = expected.iter().zip(proof);
    // Both roots grow from the last full subtree of the old tree: the proof's first hash, or the old root.
    let mut hash = *old_root;
    if expected[0].end == old_size {
        match parts.next() {
            Some((_, first)) => hash = *first,
            None => return false,
        }
    }
    let (mut old, mut new) = (hash, hash);
    for (leaves, given) in parts {
        if leaves.start >= old_size {
            new = hash_children(&new, given);
        } else {
            old = hash_children(given, &old);
            new = hash_children(given, &new);
        }
    }
    old == *old_root && new == *new_root
}

#[cfg(test)]
mod tests {
    use super::super::tree::{hash_leaf, reference};
    use super::*;

    fn roots_of(leaves: &[Hash], parts: &[Leaves]) -> Vec<Hash> {
        parts
            .iter()
            .map(|part| reference::root(&leaves[part.start as usize..part.end as usize]))
            .collect()
    }

    fn hashes(digits: &[&str]) -> Vec<Hash> {
        digits
            .iter()
            .map(|digits| reference::hash(digits))
            .collect()
    }

    const A: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const B: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const C: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    const D: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    const E: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    const F: &str = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
    const G: &str = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125";
    const H: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    const I: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

    #[test]
    fn published_inclusion_proofs() {
        let leaves = reference::leaf_hashes();
        for (index, size, expected) in [
            (0, 1, &[][..]),
            (0, 8, &[A, B, C]),
            (5, 8, &[D, E, F]),
            (2, 3, &[G]),
            (1, 5, &[H, B, D]),
        ] {
            let proof = hashes(expected);
            assert_eq!(roots_of(&leaves, &inclusion(index, size)), proof);
            let root = reference::hash(reference::ROOTS[size as usize]);
            assert!(verify_inclusion(
                &leaves[index as usize],
                index,
                size,
                &proof,
                &root
            ));
        }
    }

    #[test]
    fn published_consistency_proofs() {
        let leaves = reference::leaf_hashes();
        for (old, new, expected) in [
            (1, 1, &[][..]),
            (1, 8, &[A, B, C]),
            (6, 8, &[I, E, F]),
            (2, 5, &[B, D]),
        ] {
            let proof = hashes(expected);
            assert_eq!(roots_of(&leaves, &consistency(old, new)), proof);
            let [old_root, new_root] =
                [old, new].map(|size| reference::hash(reference::ROOTS[size as usize]));
            assert!(verify_consistency(old, new, &old_root, &new_root, &proof));
        }
    }

    #[test]
    fn every_proof_of_small_trees_is_the_definitions() {
        let leaves: Vec<Hash> = (0..40u32).map(|n| hash_leaf(&n.to_be_bytes())).collect();
        for size in 1..=leaves.len() {
            let tree = &leaves[..size];
            let root = reference::root(tree);
            for index in 0..size {
                let proof = roots_of(tree, &inclusion(index as u64, size as u64));
                assert_eq!(proof, reference::path(index, tree));
                assert!(verify_inclusion(
                    &tree[index],
                    index as u64,
                    size as u64,
                    &proof,
                    &root
                ));
            }
            for old in 1..=size {
                let proof = roots_of(tree, &consistency(old as u64, size as u64));
                assert_eq!(proof, reference::subproof(old, tree, true));
                let old_root = reference::root(&tree[..old]);
                assert!(verify_consistency(
                    old as u64,
                    size as u64,
                    &old_root,
                    &root,
                    &proof
                ));
            }
        }
    }

    #[test]
    fn what_was_tampered_with_proves_nothing() {
        let leaves: Vec<Hash> = (0..23u32).map(|n| hash_leaf(&n.to_be_bytes())).collect();
        let root = reference::root(&leaves);
        for size in 1..23usize {
            let index = size as u64;
            let leaf = leaves[size];
            let proof = reference::path(size, &leaves);
            let holds = |leaf: &Hash, index, size, proof: &[Hash], root: &Hash| {
                verify_inclusion(leaf, index, size, proof, root)
            };
            assert!(holds(&leaf, index, 23, &proof, &root));
            assert!(!holds(&leaf, index + 1, 23, &proof, &root));
            assert!(!holds(&leaf, 23, 23, &proof, &root));
            assert!(!holds(&leaf, index, 16, &proof, &root));
            assert!(!holds(&root, index, 23, &proof, &root));
            assert!(!holds(&leaf, index, 23, &proof, &leaf));

            let old_root = reference::root(&leaves[..size]);
            let path = reference::subproof(size, &leaves, true);
            let old = size as u64;
            assert!(verify_consistency(old, 23, &old_root, &root, &path));
            assert!(!verify_consistency(old + 1, 23, &old_root, &root, &path));
            assert!(!verify_consistency(old - 1, 23, &old_root, &root, &path));
            assert!(!verify_consistency(old, 23, &root, &old_root, &path));
            assert!(!verify_consistency(23, old, &root, &old_root, &path));

            for (proof, verify) in [
                (
                    &proof,
                    &(|proof: &[Hash]| holds(&leaf, index, 23, proof, &root))
                        as &dyn Fn(&[Hash]) -> bool,
                ),
                (&path, &|proof: &[Hash]| {
                    verify_consistency(old, 23, &old_root, &root, proof)
                }),
            ] {
                let longer: Vec<Hash> = proof.iter().copied().chain([root]).collect();
                assert!(!verify(&longer));
                let longer: Vec<Hash> = [root].into_iter().chain(proof.iter().copied()).collect();
                assert!(!verify(&longer));
                assert!(!verify(&proof[1..]));
                assert!(!verify(&proof[..proof.len() - 1]));
                for place in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[place][7] ^= 1;
                    assert!(!verify(&changed));
                }
            }
        }
    }

    #[test]
    fn every_tree_continues_the_empty_one() {
        let root = reference::hash(reference::ROOTS[8]);
        assert!(verify_consistency(0, 8, &EMPTY_ROOT, &root, &[]));
        assert!(verify_consistency(0, 0, &EMPTY_ROOT, &EMPTY_ROOT, &[]));
        assert!(!verify_consistency(0, 8, &EMPTY_ROOT, &root, &[root]));
        assert!(!verify_consistency(0, 8, &root, &root, &[]));
        assert!(!verify_consistency(0, 0, &EMPTY_ROOT, &root, &[]));
        assert!(!verify_inclusion(&EMPTY_ROOT, 0, 0, &[], &EMPTY_ROOT));
    }

    #[test]
    fn sizes_of_any_magnitude_end() {
        let far = i64::MAX as u64;
        assert_eq!(inclusion(far - 1, far).len(), 62);
        assert!(consistency(far / 2, far).len() <= 64);
        assert!(!verify_inclusion(
            &EMPTY_ROOT,
            far - 1,
            far,
            &[],
            &EMPTY_ROOT
        ));
        assert!(!verify_consistency(1, far, &EMPTY_ROOT, &EMPTY_ROOT, &[]));
    }
}
