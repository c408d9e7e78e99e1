//! The figures of all event loops together, as Prometheus reads them: [`text`].

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text::encode};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::{POOLS, Pages};
use crate::driver::watch::METHOD_NAMES;
use crate::http::rejection::Rejection;
use crate::shared::figures::{Durations, Figure, Figures, METHODS, STATUSES, STEPS};

/// All figures. They are read one after the other while others go on: each is right by itself.
pub(super) fn text(pages: &Pages) -> String {
    let snapshot = Snapshot::of(pages);
    let mut registry = Registry::with_prefix("http_server");
    registry.register_collector(Box::new(snapshot));
    let mut text = String::new();
    // Writing to memory cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

/// What was counted by one moment.
struct Snapshot {
    /// Method, status, how many.
    answers: Vec<(&'static str, u16, u64)>,
    rejections: Vec<(String, u64)>,
    durations: Steps,
    jobs: Steps,
    /// Of each pool.
    waits: [Steps; POOLS.len()],
    waiting: [u64; POOLS.len()],
    counters: Vec<(&'static str, &'static str, u64)>,
    refused: [(&'static str, u64); 3],
    connections: [(&'static str, u64); 2],
}

/// A histogram: the end of each step in seconds, and how many fell into it; the sum of all in seconds.
struct Steps(Vec<(f64, u64)>, f64);

impl Snapshot {
    fn of(pages: &Pages) -> Snapshot {
        let (all, watched) = (&pages.figures, &*pages.watched);
        let sum = |figure: &dyn Fn(&Figures) -> u64| {
            all.iter().fold(0_u64, |sum, figures| sum.wrapping_add(figure(figures)))
        };
        let mut answers = Vec::new();
        for (method, name) in METHOD_NAMES.iter().enumerate().take(METHODS) {
            for status in (100..).take(STATUSES) {
                let count = sum(&|figures| figures.answers(method, status).map_or(0, Figure::get));
                if count > 0 {
                    answers.push((*name, status, count));
                }
            }
        }
        let rejections = Rejection::ALL.iter().map(|rejection| {
            let count = sum(&|figures| figures.rejections(*rejection as usize).map_or(0, Figure::get));
            (snake_case(&format!("{rejection:?}")), count)
        });
        // Closed ones first: who is counted there was counted as accepted before.
        let resting = sum(&|figures| figures.resting.get());
        let closed = sum(&|figures| figures.closed.get());
        let accepted = sum(&|figures| figures.accepted.get());
        let open = accepted.saturating_sub(closed);
        Snapshot {
            answers,
            rejections: rejections.collect(),
            durations: steps(all, |figures| &figures.durations),
            jobs: steps(all, |figures| &figures.jobs),
            waits: pages.workers.each_ref().map(|pool| steps(pool, |worker| &worker.waits)),
            waiting: watched.waiting_jobs(),
            counters: vec![
                ("received_bytes", "Bytes received from clients", sum(&|figures| figures.received.get())),
                ("sent_bytes", "Bytes sent to clients", sum(&|figures| figures.sent.get())),
                ("connections_accepted", "Connections that were let in", accepted),
                (
                    "jobs_refused",
                    "Jobs for which there was no room in their queue",
                    sum(&|figures| figures.refused_jobs.get()),
                ),
                ("syncs", "Calls that put something on stable storage", watched.syncs()),
                ("log_lines_dropped", "Lines of the access log that were lost", watched.dropped_lines()),
            ],
            refused: [
                ("connections_max", sum(&|figures| figures.refused_for_all.get())),
                ("connections_per_address_max", sum(&|figures| figures.refused_for_address.get())),
                ("descriptors", sum(&|figures| figures.refused_for_descriptors.get())),
            ],
            connections: [("resting", resting.min(open)), ("active", open.saturating_sub(resting))],
        }
    }
}

fn steps<T>(all: &[Arc<T>], of: impl Fn(&T) -> &Durations) -> Steps {
    let mut buckets: Vec<(f64, u64)> = STEPS.iter().map(|end| (*end as f64 / 1e6, 0)).collect();
    // What the encoder takes for one without end.
    buckets.push((f64::MAX, 0));
    let mut sum = 0;
    for figures in all {
        let durations = of(figures);
        for (bucket, figure) in buckets.iter_mut().zip(&durations.steps) {
            bucket.1 += figure.get();
        }
        sum += durations.sum.get();
    }
    Steps(buckets, sum as f64 / 1e6)
}

/// `HeadTooLarge` as `head_too_large`.
fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for (at, character) in name.char_indices() {
        if character.is_ascii_uppercase() && at > 0 {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

impl Debug for Snapshot {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("Snapshot")
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let help = "Answers, by method (none: no request was understood) and status";
        let mut family = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for (method, status, count) in &self.answers {
            let labels = [("method", (*method).to_owned()), ("status", status.to_string())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
        let help = "Requests refused before anybody asked what they want, by reason";
        let mut family = encoder.encode_descriptor("rejections", help, None, MetricType::Counter)?;
        for (reason, count) in &self.rejections {
            let labels = [("reason", reason.as_str())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
        let help = "Connections refused, by the bound that was reached";
        let mut family = encoder.encode_descriptor("connections_refused", help, None, MetricType::Counter)?;
        for (reason, count) in &self.refused {
            let labels = [("reason", *reason)];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
        let help = "Open connections: resting between two requests, or active";
        let mut family = encoder.encode_descriptor("connections", help, None, MetricType::Gauge)?;
        for (state, count) in &self.connections {
            let labels = [("state", *state)];
            ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
        }
        for (name, help, count) in &self.counters {
            let counter = ConstCounter::new(*count);
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let help = "Jobs that wait for a thread of their pool";
        let mut family = encoder.encode_descriptor("jobs_waiting", help, None, MetricType::Gauge)?;
        for (pool, count) in POOLS.iter().zip(&self.waiting) {
            ConstGauge::new(*count).encode(family.encode_family(&[("pool", *pool)])?)?;
        }
        let help = "From the first byte of a request to its answer";
        let seconds = Some(&Unit::Seconds);
        let durations =
            encoder.encode_descriptor("request_duration", help, seconds, MetricType::Histogram)?;
        self.durations.encode(durations)?;
        let help = "From the hand-over of a job until a thread of its pool takes it";
        let mut family = encoder.encode_descriptor("job_wait", help, seconds, MetricType::Histogram)?;
        for (pool, waits) in POOLS.iter().zip(&self.waits) {
            waits.encode(family.encode_family(&[("pool", *pool)])?)?;
        }
        let help = "From the hand-over of a job to its outcome, the wait included";
        let jobs = encoder.encode_descriptor("job_duration", help, seconds, MetricType::Histogram)?;
        self.jobs.encode(jobs)
    }
}

impl Steps {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let count = self.0.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram(self.1, count, &self.0, None::<&NoExemplars>)
    }
}

type NoExemplars = std::collections::HashMap<usize, Exemplar<[(&'static str, &'static str); 0], f64>>;
