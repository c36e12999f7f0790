//! What a process used, from /proc.

use std::time::Duration;

use anyhow::{Context, Result};

/// Linux counts processor time for user programs in hundredths of a second, whatever its own clock is.
const TICK_US: u64 = 10_000;
const SAMPLE: Duration = Duration::from_millis(50);

/// Processor time of a process so far, in µs.
pub fn cpu_us(pid: u32) -> Result<u64> {
    let fields = fields(pid)?;
    // utime and stime.
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks * TICK_US)
}

/// The process group of a process.
pub fn group(pid: u32) -> Result<i32> {
    Ok(fields(pid)?.get(2).context("unreadable /proc stat")?.parse()?)
}

/// How long ago a process was started, to a hundredth of a second.
pub fn age(pid: u32) -> Result<Duration> {
    let ticks: u64 = fields(pid)?.get(19).context("unreadable /proc stat")?.parse()?;
    let uptime = std::fs::read_to_string("/proc/uptime")?;
    let uptime: f64 = uptime.split_whitespace().next().context("unreadable /proc uptime")?.parse()?;
    Ok(Duration::from_secs_f64(uptime).saturating_sub(Duration::from_micros(ticks * TICK_US)))
}

/// The fields of /proc stat behind the program's name, which stands in parentheses and may hold anything.
fn fields(pid: u32) -> Result<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    let after = stat.rsplit_once(')').map(|(_, rest)| rest).context("unreadable /proc stat")?;
    Ok(after.split_whitespace().map(str::to_owned).collect())
}

/// Resident memory of a process, in MiB.
pub fn resident_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    let kib: f64 = kib.context("unreadable /proc status")?;
    Ok(kib / 1024.0)
}

/// The most memory that a process has while `work` is done.
pub async fn peak_mib<T>(pid: u32, work: impl Future<Output = Result<T>>) -> Result<(T, f64)> {
    let mut peak = resident_mib(pid)?;
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok((done?, peak.max(resident_mib(pid)?))),
            () = tokio::time::sleep(SAMPLE) => peak = peak.max(resident_mib(pid)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_usage_is_read() {
        assert!(resident_mib(std::process::id()).expect("readable") > 1.0);
        assert!(cpu_us(std::process::id()).is_ok());
        assert!(group(std::process::id()).is_ok_and(|group| group > 0));
        let age = age(std::process::id()).expect("readable");
        assert!(age < Duration::from_secs(3_600), "{age:?}");
    }
}
