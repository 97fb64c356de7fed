//! Clients take every place of the listener and then do nothing with it. Everybody else has to be served nevertheless.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use load_tests::harness::http::Connection;
use load_tests::harness::ledger::{Allowed, Verdict};
use load_tests::harness::usage;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::fault::Fault;
use crate::inputs::Call;
use crate::run::{Kind, Run};
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault::fast(
        "readers-that-stop",
        "Eight hundred clients ask for 400 documents each and read none of them",
        Kind::EMBEDDED,
        |run| Box::pin(crowded(run, "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(400))),
    ),
    Fault::long(
        "heads-that-stop",
        "Eight hundred clients send the beginning of a request and nothing more",
        Kind::EMBEDDED,
        |run| Box::pin(crowded(run, "GET /openapi.json HTTP/1.1\r\nhost:".to_owned())),
    ),
    Fault::long(
        "bodies-that-stop",
        "Eight hundred clients send a tenth of a body and nothing more",
        Kind::EMBEDDED,
        |run| {
            let head = "POST /api/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
            Box::pin(crowded(run, format!("{head}content-length: 1000\r\n\r\n{}", " ".repeat(100))))
        },
    ),
];

/// The number of clients, which is also the number of places.
const CLIENTS: usize = 800;
/// How long other clients are watched while the crowd stays.
const WATCHED_FOR: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(100);
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// The time after which another client has to be served. A client of the crowd has to let the process wait for a
/// second before it loses its place, and the rest is for a busy machine.
const SERVED_WITHIN: Duration = Duration::from_secs(5);
/// How much more memory the process may use.
const MEMORY_MB: f64 = 200.0;
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// What became of the other clients.
#[derive(Default)]
struct Others {
    first_served_after: Option<Duration>,
    served: u32,
    refused: u32,
    refused_after_first: u32,
}

async fn crowded(run: Run, request: String) -> anyhow::Result<Verdict> {
    let world = World::start(&run, Plan::default()).await?;
    let process = world.find(&world.process("ingest"))?;
    let (id, address) = (process.id()?, process.address);
    let before = usage::memory_mb(id, "VmRSS")?;
    let mut crowd = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(address).await.context("connect to Debrief")?;
        client.write_all(request.as_bytes()).await.context("send the requests")?;
        crowd.push(client);
    }
    let others = watch(address).await;
    let call = Call::phone(&mut run.dice(), &world.simulators);
    let is_accepted = world.send(&call).await == Some(200);
    let peak = usage::memory_mb(id, "VmHWM")?;
    let stayed = crowd.len();
    drop(crowd);
    let Others { first_served_after, served, refused, refused_after_first } = others;
    let first = first_served_after
        .map_or_else(|| "never".to_owned(), |after| format!("after {:.1} s", after.as_secs_f64()));
    println!(
        "       {stayed} clients stayed; another one was served {first}; {served} served, {refused} refused in \
         {WATCHED_FOR:?}; memory {before:.0} MB before, {peak:.0} MB at most"
    );
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    let is_soon = first_served_after.is_some_and(|after| after < SERVED_WITHIN);
    verdict.demand(is_soon, format!("another client was served {first}, not within {SERVED_WITHIN:?}"));
    // On a busy machine an answer may come too late.
    let refusals = format!("{refused_after_first} clients were refused after the first was served");
    verdict.demand(refused_after_first * 10 <= served, refusals);
    verdict.demand(is_accepted, "a call was refused while the crowd stayed");
    let more = peak - before;
    verdict.demand(more < MEMORY_MB, format!("the process used {more:.0} MB more"));
    world.finish().await?;
    Ok(verdict)
}

/// Asks again and again, each time as a new client. The answer needs neither the store nor a provider.
async fn watch(address: SocketAddr) -> Others {
    let mut others = Others::default();
    let begun = Instant::now();
    while begun.elapsed() < WATCHED_FOR {
        let asked = async { Connection::open(address).await?.get("/").await };
        if matches!(timeout(ANSWERED_WITHIN, asked).await, Ok(Ok(answer)) if answer.status == 200) {
            others.served += 1;
            others.first_served_after.get_or_insert_with(|| begun.elapsed());
        } else {
            others.refused += 1;
            others.refused_after_first += u32::from(others.first_served_after.is_some());
        }
        sleep(ASK_EVERY).await;
    }
    others
}
