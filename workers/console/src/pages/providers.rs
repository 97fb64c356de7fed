//! `/providers`: whether each system works that Debrief asks and tells, what it said last where it does not, what it cost
//! today, and a test.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use chrono_tz::Tz;
use domain::call::WorkspaceId;
use domain::moment::Moment;
use platform::config::Values;
use providers::{Checked, Provider, speech};
use store::{Page, ProviderTrouble, UsageBy, UsageRow, UsageTime};
use web::{Operate, Problem, ReadInstallation};

use crate::bounds::bound;
use crate::sections::Section;
use crate::state::ProviderState;
use crate::texts::{FrameTexts, ProviderTexts, fill};
use crate::{Answer, Console, Posted, Visitor, show};

const SHOWN_TROUBLES: i64 = 100;
const ALL_MODELS: Page = Page { offset: 0, limit: 1000 };

#[derive(Template)]
#[template(path = "providers/providers.html")]
struct Providers<'a> {
    texts: &'static ProviderTexts,
    tested: Option<Tested>,
    rows: Vec<Row>,
    models: Vec<Model>,
    csrf: &'a str,
}

/// What a test found.
struct Tested {
    is_well: bool,
    sentences: Vec<String>,
}

struct Row {
    name: &'static str,
    service: &'static str,
    does: &'static str,
    is_on: bool,
    /// What is wrong with its settings, or what turns it on.
    advice: Option<String>,
    rate: String,
    cost: String,
    troubles: Vec<Trouble>,
}

struct Trouble {
    code: String,
    text: String,
    runs: String,
}

struct Model {
    name: String,
    cost: String,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/providers", get(list)).route("/providers/{name}/test", post(test))
}

async fn list(visitor: Visitor<ReadInstallation>, State(console): State<Console>) -> Answer {
    show_page(&visitor, &console, None).await
}

/// Tries the provider as `debrief check --connect` does.
async fn test(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    Path(name): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let texts = ProviderTexts::of(visitor.language);
    // A company can be a provider twice, for speech and for a model.
    let is_meant = |provider: &&'static dyn Provider| {
        provider.name() == name && provider.service().unwrap_or_default() == fields.text("service")
    };
    let provider = providers::all().into_iter().find(is_meant);
    let is_operator = visitor.workspace == WorkspaceId::DEFAULT;
    let Some(provider) = provider.filter(|_| is_operator) else {
        return Err(visitor.refuse(Problem::new(StatusCode::NOT_FOUND, texts.no_provider)));
    };
    let sentence = |text: &str, values: &[&str]| vec![fill(text, values)];
    let tested = match providers::tried(provider, &console.values).await {
        Err(problem) => Tested { is_well: false, sentences: sentence(texts.wrong, &[&problem.to_string()]) },
        Ok(None) => Tested { is_well: false, sentences: sentence(texts.is_off, &[&name]) },
        Ok(Some(Ok(Checked::Reached { notes }))) => {
            let sentences = sentence(texts.reached, &[&name]).into_iter().chain(notes).collect();
            Tested { is_well: true, sentences }
        }
        Ok(Some(Ok(Checked::Untried { why }))) => {
            Tested { is_well: true, sentences: sentence(texts.untried, &[&name, why]) }
        }
        Ok(Some(Err(error))) => {
            Tested { is_well: false, sentences: sentence(texts.failed, &[&name, &error.to_string()]) }
        }
    };
    tracing::info!(
        provider = name,
        is_well = tested.is_well,
        actor = &*visitor.actor,
        "a provider was tested"
    );
    show_page(&visitor, &console, Some(tested)).await
}

async fn show_page<N>(visitor: &Visitor<N>, console: &Console, tested: Option<Tested>) -> Answer {
    let (texts, zone) = (ProviderTexts::of(visitor.language), console.installation.timezone);
    let troubles = visitor.store(console.store.troubles(visitor.workspace, SHOWN_TROUBLES).await)?;
    let today = UsageTime { from: Some(start_of_day(console.store.now(), zone)), to: None };
    let (models, _) =
        visitor.store(console.store.usage(visitor.workspace, UsageBy::Model, today, ALL_MODELS).await)?;
    let writer =
        console.providers().iter().find(|one| one.is_on() && one.provider.service() == Some("model"));
    let facts = Facts {
        troubles: &troubles,
        models: &models,
        writer: writer.map(|one| one.provider.name()),
        values: &console.values,
        texts,
        zone,
    };
    let mut rows: Vec<_> = console.providers().iter().map(|state| facts.row(state)).collect();
    rows.sort_by_key(|row| !row.is_on);
    let content = Providers {
        texts,
        tested,
        rows,
        models: models
            .iter()
            .map(|model| Model { name: model.name.clone(), cost: cost(&[model], texts) })
            .collect(),
        csrf: visitor.csrf(),
    };
    visitor.page(Section::Providers, FrameTexts::of(visitor.language).providers, &content)
}

/// What is known of all providers.
struct Facts<'a> {
    troubles: &'a [ProviderTrouble],
    models: &'a [UsageRow],
    /// The provider of the models that write: the first one that is on.
    writer: Option<&'static str>,
    values: &'a Values,
    texts: &'static ProviderTexts,
    zone: Tz,
}

impl Facts<'_> {
    fn row(&self, state: &ProviderState) -> Row {
        let (texts, provider) = (self.texts, state.provider);
        let advice = match &state.is_on {
            Ok(true) => None,
            // A company whose key serves two purposes does speech only where it is named.
            Ok(false) if self.values.text(provider.key()).is_some() => {
                let order = if provider.service() == Some("voice") { "VOICE" } else { "SPEECH" };
                Some(fill(texts.name_in_order, &[order]))
            }
            Ok(false) => Some(fill(texts.turn_on, &[provider.key()])),
            Err(problem) => Some(fill(texts.wrong, &[&problem.to_string()])),
        };
        let of_it = self.troubles.iter().filter(|trouble| is_about(trouble, provider.name()));
        let used: Vec<_> = self.models.iter().filter(|model| self.is_of(&model.name, provider)).collect();
        Row {
            name: provider.name(),
            service: provider.service().unwrap_or_default(),
            does: does(provider, texts),
            is_on: state.is_on(),
            advice,
            rate: self.rate(provider),
            cost: cost(&used, texts),
            troubles: of_it.map(|trouble| self.trouble(trouble)).collect(),
        }
    }

    /// How often it may be asked, as its settings say.
    fn rate(&self, provider: &'static dyn Provider) -> String {
        let key = provider.settings().keys.iter().find(|key| key.name.ends_with("_RATE"));
        // A company that does two things has one rate for both, in the settings of one of them.
        let of_company = || self.values.text(&format!("{}_RATE", provider.name().to_ascii_uppercase()));
        let rate = match key {
            Some(key) => Some(self.values.text(key.name).unwrap_or_else(|| key.default.to_owned())),
            None => of_company(),
        };
        rate.filter(|rate| !rate.is_empty()).unwrap_or_else(|| self.texts.no_limit.to_owned())
    }

    /// Whether the usage under this name is the provider's. Speech is kept as `provider` or `provider/model`, and a model that writes
    /// under its own name.
    fn is_of(&self, model: &str, provider: &dyn Provider) -> bool {
        let of = model.split_once('/').map_or(model, |(of, _)| of);
        if speech::is_provider(of) {
            of == provider.name() && does_speech(provider)
        } else {
            self.writer == Some(provider.name()) && provider.service() == Some("model")
        }
    }

    fn trouble(&self, trouble: &ProviderTrouble) -> Trouble {
        Trouble {
            code: trouble.code.clone(),
            text: trouble.text.clone(),
            runs: fill(
                self.texts.trouble_runs,
                &[&trouble.runs.to_string(), &show::time(trouble.last, self.zone)],
            ),
        }
    }
}

/// Whether runs wait because of this provider: they are parked for it, or the code of their failure begins with its name.
fn is_about(trouble: &ProviderTrouble, provider: &str) -> bool {
    trouble.destination.as_deref() == Some(provider)
        || trouble.code.strip_prefix(provider).is_some_and(|rest| rest.starts_with('_'))
}

fn does_speech(provider: &dyn Provider) -> bool {
    provider.service() == Some("transcription")
}

fn does(provider: &dyn Provider, texts: &ProviderTexts) -> &'static str {
    match provider.service() {
        Some("transcription") => texts.transcription,
        Some("model") => texts.model,
        Some("voice") => texts.voice,
        Some("slack") => texts.slack,
        Some("salesforce" | "call_data") => texts.crm,
        Some("zoom") => texts.meetings,
        Some("telephony") | None => texts.telephony,
        Some(other) => other,
    }
}

fn cost(used: &[&UsageRow], texts: &ProviderTexts) -> String {
    if used.is_empty() {
        return texts.no_cost.to_owned();
    }
    let dollars: f64 = used.iter().filter_map(|row| row.cost_usd).sum();
    let unpriced: i64 = used.iter().map(|row| row.unpriced).sum();
    let count: i64 = used.iter().map(|row| row.uses).sum();
    let told = fill(texts.uses, &[&count.to_string()]);
    match unpriced {
        0 => format!("$ {dollars:.2}, {told}"),
        all if all == count => format!("{told}, {}", fill(texts.unpriced, &[&all.to_string()])),
        some => format!("$ {dollars:.2}, {told}, {}", fill(texts.unpriced, &[&some.to_string()])),
    }
}

/// The first moment of this day in the time zone of the installation.
fn start_of_day(now: Moment, zone: Tz) -> Moment {
    let day = now.utc().with_timezone(&zone).date_naive().to_string();
    bound(&day, zone, false).unwrap_or(now)
}
