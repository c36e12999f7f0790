//! The chart above the log.

use rollcall_proto::{id::SchoolId, provider::v1 as pb};
use tonic::Response;

use super::{Answer, read_filter, refused, timestamp, to_status, unix_ms};
use crate::{
    model::buckets::Buckets,
    store::{Store, log::histogram},
};

/// Without a beginning, the chart is of the last day, ms.
const SPAN_MS: i64 = 86_400_000;

/// Counts a school's attempts as asked.
pub async fn answer(store: &Store, school: SchoolId, request: pb::GetHistogramRequest) -> Answer<pb::Histogram> {
    let filter = read_filter(&request.filter).map_err(refused)?;
    let now_ms = store.now_ms();
    let until = request.until.map(|until| unix_ms("until", until)).transpose().map_err(refused)?;
    let until_ms = until.unwrap_or(now_ms);
    let since = request.since.map(|since| unix_ms("since", since)).transpose().map_err(refused)?;
    let since_ms = since.unwrap_or(until_ms - SPAN_MS);
    let buckets = Buckets::over(since_ms, until_ms, request.buckets).map_err(refused)?;
    let counted = async { histogram::histogram(&mut store.reader().await?, school, &filter, now_ms, buckets).await };
    let counted = counted.await.map_err(to_status)?;
    let bucket = |(index, counts): (usize, [u64; 5])| {
        let [delivered, retrying, parked, held, failed] = counts;
        let from_ms = buckets.from_ms + buckets.length_ms * index as i64;
        pb::HistogramBucket { from: Some(timestamp(from_ms)), delivered, retrying, parked, held, failed }
    };
    Ok(Response::new(pb::Histogram {
        buckets: counted.counts.into_iter().enumerate().map(bucket).collect(),
        bucket_ms: buckets.length_ms.unsigned_abs(),
        searched_until: counted.searched_until_ms.map(timestamp),
    }))
}
