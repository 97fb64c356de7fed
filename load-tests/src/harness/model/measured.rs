//! What `RESULTS.md` says, as far as the model uses it.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

/// The processors of the machine on which it was measured.
const CORES: f64 = 2.0;

/// The measured numbers.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Milliseconds of a processor for a call with a recording, by who used them.
    processor_ms: BTreeMap<String, f64>,
    pub dedup_per_second: f64,
    pub ingest_per_second: f64,
    /// Workers, and calls in a second, with a model that takes [`Self::model_s`].
    scale: Vec<(f64, f64)>,
    model_s: f64,
    /// Name, milliseconds for a call, and calls in a second, of each pipeline on servers.
    pipelines: Vec<(String, f64, f64)>,
}

/// One number that was measured, and what the model says.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub what: String,
    pub predicted: f64,
    pub measured: f64,
}

impl Measured {
    /// Reads the sections of the file.
    pub fn read(results: &str) -> anyhow::Result<Self> {
        let pipeline = section(results, "pipeline")?;
        let used = pipeline
            .lines()
            .find_map(|line| line.strip_prefix("- recordings, the same, a process for each role: "))
            .context("find who uses the processor")?;
        let processor_ms = used
            .split(", ")
            .map(|one| {
                let (who, ms) = one.rsplit_once(' ').context("read who uses the processor")?;
                Ok((who.to_owned(), number(ms)?))
            })
            .collect::<anyhow::Result<_>>()?;
        let pipelines = rows(pipeline)
            .filter(|row| row[0].contains("RabbitMQ") || row[0].contains("the same"))
            .map(|row| Ok((row[0].clone(), number(&row[4])?, number(&row[2])?)))
            .collect::<anyhow::Result<_>>()?;
        let scale = section(results, "scale")?;
        let (_, rest) = scale.split_once("model takes ").context("find how long the model took")?;
        let model_s = number(rest.split(' ').next().unwrap_or_default())? / 1000.0;
        let scale =
            rows(scale).map(|row| Ok((number(&row[0])?, number(&row[2])?))).collect::<anyhow::Result<_>>()?;
        let drain = section(results, "drain")?;
        let messages = number(drain.split(' ').next().unwrap_or_default())?;
        let (_, took) = drain.split_once("This took ").context("find how long the backlog took")?;
        let dedup_per_second = messages / number(took.split(' ').next().unwrap_or_default())?;
        let ingest = rows(section(results, "ingest")?)
            .find(|row| row[0].contains("--role ingest` on RabbitMQ") && row[1] == "64")
            .context("find how fast webhooks are taken")?;
        let measured = Self {
            processor_ms,
            dedup_per_second,
            ingest_per_second: number(&ingest[2])?,
            scale,
            model_s,
            pipelines,
        };
        ensure!(measured.scale.len() > 1 && measured.pipelines.len() > 3, "RESULTS.md lacks measurements");
        Ok(measured)
    }

    /// Milliseconds of a processor for a call. 0 where it was too little to be measured.
    pub fn processor_ms(&self, who: &str) -> f64 {
        self.processor_ms.get(who).copied().unwrap_or(0.0)
    }

    /// Every number that the model can predict.
    pub fn points(&self) -> Vec<Point> {
        let analysis = self.processor_ms("debrief analysis");
        let scale = self.scale.iter().map(|(workers, measured)| Point {
            what: format!("analysis by {workers:.0} processes, the model takes {:.0} s", self.model_s),
            predicted: workers * super::rate_of_one(20.0, self.model_s, analysis),
            measured: *measured,
        });
        let pipelines = self.pipelines.iter().map(|(name, ms, measured)| Point {
            what: format!("{name}, the processors are the bound"),
            predicted: CORES * 1000.0 / ms,
            measured: *measured,
        });
        scale.chain(pipelines).collect()
    }
}

fn section<'a>(results: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let (_, rest) =
        results.split_once(&format!("<!-- {name} -->\n")).with_context(|| format!("find `{name}`"))?;
    rest.split_once("<!-- /").map(|(section, _)| section).with_context(|| format!("find the end of `{name}`"))
}

/// The rows of the table of a section, without its head.
fn rows(section: &str) -> impl Iterator<Item = Vec<String>> + '_ {
    let rows = section.lines().filter(|line| line.starts_with('|'));
    rows.skip(2).map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
}

fn number(text: &str) -> anyhow::Result<f64> {
    text.trim().parse().with_context(|| format!("read the number `{text}`"))
}
