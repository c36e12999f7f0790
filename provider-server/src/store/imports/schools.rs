//! Schools that a file brings: they have no connection until staff make one.

use std::collections::HashSet;

use rollcall_proto::id::{DistrictId, SchoolId};

use crate::store::{
    StoreError, Tx, Value,
    keys::{self, KeyCache},
};

/// Creates those of these schools (sourcedId, name) that the district does not have. Answers how many.
pub async fn create_missing(
    tx: &mut Tx<'_>,
    district: DistrictId,
    schools: Vec<(String, String)>,
) -> Result<u64, StoreError> {
    let list = schools.iter().map(|(sourced_id, _)| Value::from(sourced_id)).collect();
    let sql = "SELECT sourced_id FROM schools WHERE district_id = $1 AND sourced_id IN {list}";
    let mut known = HashSet::new();
    for mut row in tx.conn.query_list(sql, vec![district.into()], list).await? {
        known.insert(row.take::<String>(0)?);
    }
    let (mut values, mut created) = (Vec::new(), 0);
    for (sourced_id, name) in schools {
        if !known.insert(sourced_id.clone()) {
            continue;
        }
        let id = SchoolId::new(tx.now_ms, tx.shared.entropy.bytes());
        let key = KeyCache::get_or_create(tx, &keys::school_scope(id)).await?;
        let digest_key = zeroize::Zeroizing::new(tx.shared.entropy.bytes::<32>());
        let sealed = key.seal(keys::digest_key_place(&id), &*digest_key, &tx.shared.entropy);
        values.extend([id.into(), district.into(), sourced_id.into(), name.into(), tx.now_ms.into(), sealed.into()]);
        created += 1;
    }
    let head = "INSERT INTO schools (school_id, district_id, sourced_id, name, created_ms, digest_key)";
    tx.conn.insert_many(head, "", 6, values).await?;
    Ok(created)
}
