//! The one listener of a process. It serves the health routes for every role, and the routes of ingest and of the API
//! where those roles run.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::Api;
use axum::http::{HeaderName, HeaderValue, Method, header};
use ingest::Ingest;
use live::Live;
use platform::config::{ConfigError, Known, Values};
use practice::Practice;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowOrigin, CorsLayer};
use web::{self, Access, Accounts};
use web_console::{Console, OwnApi, PracticeSound, ProviderStates, Updates};

use crate::deployment::{Deployment, StartError};
use crate::document::document;
use crate::doors::Doors;
use crate::roles::Role;
use crate::serve::serve;

/// How long the listener still takes requests after it said "not ready". In this time a load balancer can learn to
/// send requests elsewhere.
const BEFORE_CLOSING: Duration = Duration::from_millis(300);
/// How long accepted requests may take to end when the process stops.
const CLOSING: Duration = Duration::from_secs(5);

pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Reads every setting of the listener, and binds the address `DEBRIEF_BIND`:`PORT`. Without a key in the
    /// configuration, only this machine can send requests.
    pub(crate) async fn bind(values: &Values) -> Result<Self, StartError> {
        read_all(values)?;
        let wanted = read_address(values)?;
        let socket = TcpListener::bind(wanted)
            .await
            .map_err(|error| ConfigError::new("PORT", format!("cannot listen on {wanted}: {error}")))?;
        let address = socket.local_addr().context("read the address that was bound")?;
        Ok(Self { socket, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves requests until `shutdown`.
    pub(crate) fn serve(
        self,
        deployment: &Arc<Deployment>,
        access: &Arc<Access>,
        roles: &[Role],
        shutdown: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + use<>, StartError> {
        let Deployment { values, installation, .. } = deployment.as_ref();
        let api = api(deployment, access, roles, &shutdown);
        let mut router = api::health(api.clone());
        if roles.contains(&Role::Api) {
            router = router.merge(api::router(api, &document()));
        }
        if roles.contains(&Role::Ingest) {
            router = router.merge(ingest::router(Ingest {
                settings: ingest::Settings::read(values, installation)?,
                access: Arc::clone(access),
                intake: deployment.intake(),
            }));
        }
        let has_console = roles.contains(&Role::Console);
        // Whoever sends a piece or reads events under `/api` need not know which process works on the session.
        let has_live = roles.contains(&Role::LIVE) || roles.contains(&Role::Api);
        let needs_live = has_live || has_console;
        let live = needs_live.then(|| live(deployment, access, &shutdown)).transpose()?;
        if let (true, Some(live)) = (has_live, &live) {
            router = router.merge(live::router(live.clone()));
        }
        let has_practice = roles.contains(&Role::Practice);
        let practice =
            (has_practice || has_console).then(|| practice(deployment, access, &shutdown)).transpose()?;
        if let (true, Some(practice)) = (has_practice, &practice) {
            router = router.merge(practice::router(practice.clone()));
        }
        // A console has the pages of live calls and of practice also in a process without their roles: it stores what comes
        // in, and whoever has the role works on it.
        let console = live.zip(practice).filter(|_| has_console).map(|(live, practice)| {
            let sound = PracticeSound {
                has_voice: practice.voices.speak(),
                understands_speech: !practice.speech.is_empty(),
            };
            let own_api = OwnApi::new(live::described(live).merge(practice::router(practice)));
            console(deployment, access, (roles, own_api, sound), &shutdown)
        });
        if let Some(console) = &console {
            router = router.merge(web_console::router(console.clone()));
            router = web_console::at_the_root(router, console.clone());
        }
        let mut router = web::finish(router, access);
        if let Some(cors) = cors(values)? {
            router = router.layer(cors);
        }
        let (doors, access) = (Doors::read(values)?, Arc::clone(access));
        let (hub, store) = (deployment.hub.clone(), deployment.store.clone());
        let notices =
            async move { if needs_live { hub.watch(&store).await } else { std::future::pending().await } };
        let changes = async move {
            match console {
                Some(console) => console.updates.watch(&console.store).await,
                None => std::future::pending().await,
            }
        };
        Ok(async move {
            let closing = shutdown.clone();
            let serving = serve(self.socket, doors, access, router, async move {
                closing.cancelled().await;
                tokio::time::sleep(BEFORE_CLOSING).await;
            });
            let too_long = async {
                shutdown.cancelled().await;
                tokio::time::sleep(BEFORE_CLOSING + CLOSING).await;
            };
            tokio::select! {
                () = serving => {}
                () = too_long => tracing::warn!("some requests did not end in time"),
                () = changes => {}
                () = notices => {}
            }
        })
    }
}

/// What answering requests needs.
pub(crate) fn api(
    deployment: &Deployment,
    access: &Arc<Access>,
    roles: &[Role],
    shutdown: &CancellationToken,
) -> Api {
    let Deployment { values, installation, store, broker, blobs, sealer, .. } = deployment;
    Api {
        store: store.clone(),
        broker: Arc::clone(broker),
        blobs: blobs.clone(),
        sealer: sealer.clone(),
        access: Arc::clone(access),
        installation: Arc::clone(installation),
        roles: roles.iter().map(|role| role.name()).collect(),
        services: providers::services(values),
        stopping: shutdown.clone(),
    }
}

/// What the console needs.
fn console(
    deployment: &Deployment,
    access: &Arc<Access>,
    (roles, own_api, practice_sound): (&[Role], OwnApi, PracticeSound),
    shutdown: &CancellationToken,
) -> Console {
    let Deployment { values, installation, store, broker, blobs, sealer, .. } = deployment;
    Console {
        store: store.clone(),
        broker: Arc::clone(broker),
        blobs: blobs.clone(),
        sealer: sealer.clone(),
        intake: deployment.intake(),
        make_samples: crate::samples::samples,
        own_api,
        practice_sound,
        access: Arc::clone(access),
        accounts: Arc::new(Accounts::new(store.clone())),
        installation: Arc::clone(installation),
        values: Arc::new(values.clone()),
        known: Arc::new(Known::with(providers::settings())),
        providers: ProviderStates::default(),
        roles: roles.iter().map(|role| role.name()).collect(),
        services: providers::services(values),
        updates: Updates::new(),
        stopping: shutdown.clone(),
    }
}

/// What the routes of live calls need.
fn live(
    deployment: &Deployment,
    access: &Arc<Access>,
    shutdown: &CancellationToken,
) -> Result<Live, ConfigError> {
    let Deployment { values, installation, store, broker, blobs, hub, cache, .. } = deployment;
    let zone = installation.timezone;
    Ok(Live {
        store: store.clone(),
        broker: Arc::clone(broker),
        blobs: blobs.clone(),
        access: Arc::clone(access),
        settings: live::Settings::read(values, installation)?,
        read_metadata: Arc::new(move |metadata, pointer| ingest::sources::details(metadata, pointer, zone)),
        hub: hub.clone(),
        streaming: live::streaming(values, Arc::clone(cache))?,
        stopping: shutdown.clone(),
    })
}

/// What practice needs.
fn practice(
    deployment: &Deployment,
    access: &Arc<Access>,
    shutdown: &CancellationToken,
) -> Result<Practice, ConfigError> {
    let Deployment { values, store, blobs, cache, .. } = deployment;
    let parts = (store.clone(), blobs.clone());
    let practice =
        Practice::from_values(values, parts, Arc::clone(cache), Arc::clone(access), deployment.intake())?;
    Ok(Practice { stopping: shutdown.clone(), ..practice })
}

/// Lets a browser show our answers to pages whose origin stands in `CORS_ORIGINS`, or to all pages where `*` stands
/// there alone.
fn cors(values: &Values) -> Result<Option<CorsLayer>, ConfigError> {
    const NAME: &str = "CORS_ORIGINS";
    let origins = values.list(NAME);
    let origins = match origins.as_slice() {
        [] => return Ok(None),
        [all] if all == "*" => AllowOrigin::any(),
        list => AllowOrigin::list(list.iter().map(|text| origin(NAME, text)).collect::<Result<Vec<_>, _>>()?),
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([header::RETRY_AFTER]);
    Ok(Some(layer))
}

/// Reads an origin, as a browser writes it: a scheme, a host and perhaps a port, without a path.
fn origin(setting: &'static str, text: &str) -> Result<HeaderValue, ConfigError> {
    if text == "*" {
        return Err(ConfigError::new(setting, "`*` means all origins, so it has to stand alone"));
    }
    let origin = text.to_ascii_lowercase();
    let host = origin.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, host)| host);
    let is_host = |host: &str| {
        !host.is_empty()
            && !host.contains(|c: char| c.is_ascii_whitespace() || c.is_control() || "/?#@*\\,".contains(c))
    };
    let value = host.filter(|host| is_host(host)).and_then(|_| HeaderValue::from_str(&origin).ok());
    value.ok_or_else(|| {
        ConfigError::not(
            setting,
            text,
            "an origin: it has to be like https://app.example.com, without a path",
        )
    })
}

/// Reads every setting of the listener. It is called before anything is opened, so that a wrong setting is reported
/// first.
pub(crate) fn read_all(values: &Values) -> Result<(), ConfigError> {
    read_address(values)?;
    cors(values)?;
    Doors::read(values)?;
    Ok(())
}

/// Reads the address to listen on from `DEBRIEF_BIND` and `PORT`. Without a key in the configuration, only this
/// machine can send requests.
pub(crate) fn read_address(values: &Values) -> Result<SocketAddr, ConfigError> {
    let port: u16 = values.parse("PORT", "a port from 0 to 65535")?.unwrap_or(8000);
    let has_key = web::Settings::read(values)?.has_key();
    let default = if has_key { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    let bind: IpAddr = values.parse("DEBRIEF_BIND", "an IP address")?.unwrap_or(default.into());
    if !has_key && !bind.is_loopback() {
        let problem = format!("`{bind}` can be reached by others: set DEBRIEF_API_KEY first");
        return Err(ConfigError::new("DEBRIEF_BIND", problem));
    }
    Ok(SocketAddr::new(bind, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends_and_a_star_stands_alone() {
        let read = |origins: &str| cors(&Values::of([("CORS_ORIGINS", origins)]));
        for origins in [
            "*",
            " * ",
            "https://app.example.com",
            "http://localhost:3000, https://APP.example.com",
            "tauri://localhost",
            "http://[::1]:3000",
        ] {
            assert!(read(origins).is_ok_and(|layer| layer.is_some()), "{origins}");
        }
        for origins in ["", " ", ",", ", ,"] {
            assert!(read(origins).is_ok_and(|layer| layer.is_none()), "{origins}");
        }
        for origins in [
            "*,*",
            "https://a.example.com,*",
            "*, https://a.example.com",
            "https://*.example.com",
            "app.example.com",
            "https://",
            "://a",
            "https://a.example.com/",
            "https://a.example.com/path",
            "https://a.example.com?q",
            "https://user@a.example.com",
            "https://a b",
            "https://a\u{7f}",
            "null",
            "**",
        ] {
            let error = read(origins).err().unwrap_or_else(|| panic!("{origins} is accepted"));
            assert!(error.to_string().starts_with("CORS_ORIGINS"), "{error}");
        }
    }
}
