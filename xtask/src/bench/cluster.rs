//! Row 2: row 1's flow on PostgreSQL, by one node and by three.

use anyhow::Result;

use super::{
    Bed, end_to_end,
    figures::{Report, Throughput},
    stage::Stage,
};
use crate::{postgres::Postgres, provider::Database};

const TARGET_RATIO: f64 = 0.2;

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let limit_per_s = end_to_end::limit(bed).await?;
    for (nodes, schools, key) in
        [(1, 1, "end_to_end"), (1, 100, "end_to_end_100_schools"), (3, 100, "end_to_end_3_nodes_100_schools")]
    {
        let postgres = Postgres::start_on_disk().await?;
        let database = Database::at(postgres.url());
        let stage = Stage::set_on(bed, &format!("cluster-{nodes}-{schools}"), schools, &database, nodes).await?;
        let (per_s, cpu_us) = end_to_end::flow(bed, stage).await?;
        postgres.stop().await?;
        let word = |count: u32| if count == 1 { "" } else { "s" };
        let row = format!("2 PostgreSQL, {nodes} node{}, {schools} school{}", word(nodes), word(schools));
        let figures = Throughput { per_s, limit_per_s, cpu_us, target_ratio: TARGET_RATIO };
        report.throughput_on_postgres(&row, key, &figures);
    }
    Ok(())
}
