//! What was measured: a table for people, JSON for scripts.

use serde_json::{Map, Value, json};

/// What a provider keeps its data in, as the JSON names it.
const SQLITE: &str = "sqlite";
const POSTGRES: &str = "postgres";

/// All rows of a run.
#[derive(Default)]
pub struct Report {
    rows: Map<String, Value>,
    lines: Vec<[String; 5]>,
}

/// A throughput beside its limit.
pub struct Throughput {
    pub per_s: f64,
    /// What the limit reached in the same run.
    pub limit_per_s: f64,
    /// Of the measured server, per message.
    pub cpu_us: f64,
    /// The target for the ratio.
    pub target_ratio: f64,
}

/// A line of the table whose figures are no throughput.
#[derive(Default)]
pub struct Line<'a> {
    pub row: &'a str,
    pub measured: String,
    pub limit: &'a str,
    pub ratio: &'a str,
    pub target: &'a str,
}

impl Report {
    /// `row` is the table's number and name, `key` its place in the JSON.
    pub fn throughput(&mut self, row: &str, key: &str, figures: &Throughput) {
        self.throughput_on(SQLITE, row, key, figures);
    }

    /// The same on PostgreSQL; it has the key of the same work on SQLite.
    pub fn throughput_on_postgres(&mut self, row: &str, key: &str, figures: &Throughput) {
        self.throughput_on(POSTGRES, row, key, figures);
    }

    fn throughput_on(&mut self, database: &str, row: &str, key: &str, figures: &Throughput) {
        let ratio = figures.per_s / figures.limit_per_s;
        let value = json!({
            "per_s": rounded(figures.per_s),
            "limit_per_s": rounded(figures.limit_per_s),
            "ratio_to_limit": rounded(ratio),
            "cpu_us": rounded(figures.cpu_us),
        });
        self.put(key, database, value);
        self.lines.push([
            row.to_owned(),
            format!("{:.0}/s, {:.0} µs CPU", figures.per_s, figures.cpu_us),
            format!("{:.0}/s", figures.limit_per_s),
            format!("{ratio:.2}"),
            format!("≥ {}", figures.target_ratio),
        ]);
    }

    /// Any other row: its JSON and its line of the table.
    pub fn other(&mut self, key: &str, value: Value, line: Line<'_>) {
        self.put(key, SQLITE, value);
        let Line { row, measured, limit, ratio, target } = line;
        self.lines.push([row, &measured, limit, ratio, target].map(str::to_owned));
    }

    fn put(&mut self, key: &str, database: &str, value: Value) {
        let row = self.rows.entry(key).or_insert_with(|| json!({}));
        row[database] = value;
    }

    /// On stdout.
    pub fn print(&self) {
        let head = ["row", "measured", "limit, same run", "ratio", "target"].map(str::to_owned);
        let width = |column: usize| {
            std::iter::once(&head).chain(&self.lines).map(|line| line[column].chars().count()).max().unwrap_or(0)
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        println!();
        for line in std::iter::once(&head).chain(&self.lines) {
            let cells: Vec<String> =
                line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}", width = width)).collect();
            println!("{}", cells.join("  ").trim_end());
        }
    }

    /// One object; the key of each row holds one of each database.
    pub fn json(&self) -> Value {
        Value::Object(self.rows.clone())
    }
}

/// Three digits after the point are more than a measurement is worth.
pub fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// The value that so many percent do not exceed; sorts.
pub fn percentile(values: &mut [f64], percent: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    values[((last as f64 * percent / 100.0).round() as usize).min(last)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 0.0), 1.0);
        assert_eq!(percentile(&mut values, 99.0), 99.0);
        assert_eq!(percentile(&mut values, 100.0), 100.0);
        assert_eq!(percentile(&mut [], 50.0), 0.0);
    }

    #[test]
    fn the_json_has_the_promised_keys() {
        let mut report = Report::default();
        let figures = Throughput { per_s: 10.0, limit_per_s: 40.0, cpu_us: 1.5, target_ratio: 0.35 };
        report.throughput("1", "end_to_end", &figures);
        let sqlite = &report.json()["end_to_end"]["sqlite"];
        assert_eq!(sqlite["per_s"], 10.0);
        assert_eq!(sqlite["limit_per_s"], 40.0);
        assert_eq!(sqlite["ratio_to_limit"], 0.25);
        assert_eq!(sqlite["cpu_us"], 1.5);
        report.throughput_on_postgres("2", "end_to_end", &Throughput { per_s: 5.0, ..figures });
        let both = &report.json()["end_to_end"];
        assert_eq!((&both["sqlite"]["per_s"], &both["postgres"]["per_s"]), (&json!(10.0), &json!(5.0)));
        assert_eq!(both["postgres"]["ratio_to_limit"], 0.125);
    }
}
