use bytes::Bytes;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{CallReceived, Envelope, MaterialAt, MaterialKind};
use domain::held_file::{HeldFile, Holder};
use futures::future::{BoxFuture, ready};
use platform::cache::Memory;
use platform::seal;
use store::{OutboxRow, Store};
use uuid::Uuid;

use super::*;
use crate::broker::Message;

const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(11));

/// An outbox of which the disk is full.
struct Full;

impl Outbox for Full {
    fn keep<'a>(&'a self, _: &'a Message) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(ready(Err(anyhow::anyhow!("the disk is full"))))
    }
}

fn intake(folder: &tempfile::TempDir, outbox: Arc<dyn Outbox>) -> Intake {
    Intake {
        broker: None,
        outbox,
        blobs: Blobs::local(&folder.path().join("blobs")).unwrap(),
        sealer: Sealer::from_key([7; 32]),
        cache: Arc::new(Memory::default()),
        lane: Lane::Bulk,
    }
}

fn arrival(materials: Vec<NewMaterial>) -> Arrival {
    Arrival {
        source: "exotel".into(),
        external_id: "CALL-1".into(),
        kind: CallKind::Phone,
        details: CallDetails::default(),
        materials,
    }
}

async fn waiting(store: &Store) -> Vec<OutboxRow> {
    let mut waiting = Vec::new();
    let look = async |rows: Vec<OutboxRow>| {
        waiting = rows;
        Vec::new()
    };
    store.relay_outbox(100, look).await.unwrap();
    waiting
}

#[tokio::test]
async fn without_a_broker_an_event_is_in_the_outbox_in_its_lane_and_its_document_in_a_blob() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_embedded(folder.path()).await.unwrap();
    let intake = intake(&folder, Arc::new(store.clone()));
    let kind = MaterialKind::Session;
    let document =
        || NewMaterial::Document { kind, media_type: "application/json", bytes: Bytes::from_static(b"{}") };
    let accepted = intake.accept(WORKSPACE, arrival(vec![document()])).await.unwrap();
    assert_eq!(accepted.call, CallId::derive(WORKSPACE, "exotel", "CALL-1"));
    assert_eq!(accepted.external_id, "CALL-1");
    let [row] = waiting(&store).await.try_into().unwrap();
    assert_eq!(row.lane, "bulk");
    let event: Envelope<CallReceived> = Envelope::decode(row.body.as_bytes()).unwrap();
    assert_eq!((event.id, event.workspace, event.call), (row.event_id, WORKSPACE, accepted.call));
    assert_eq!(event.data.materials, accepted.materials);
    let MaterialAt::Blob(key) = &accepted.materials[0].at else { panic!("{accepted:?}") };
    assert_eq!(intake.blobs.get(key, 100).await.unwrap(), "{}");
    intake.accept(WORKSPACE, arrival(vec![document()])).await.unwrap();
    let ids: Vec<_> = waiting(&store).await.into_iter().map(|row| row.event_id).collect();
    assert_eq!(ids, [event.id, event.id], "the same thing said again is the same event");
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_nowhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(&folder, Arc::new(Full));
    let refused = intake.accept(WORKSPACE, arrival(Vec::new())).await.unwrap_err();
    assert!(refused.to_string().ends_with("nothing was accepted, send it again"), "{refused}");
    let call = CallId(Uuid::nil());
    let nudge = Nudge { stage: "transcription", workspace: WORKSPACE, call, generation: 1 };
    assert_eq!(intake.nudge(nudge).await, Err(NotKept));
}

/// What the intake makes of one material: the event's id, the digest, and the address when it is opened.
async fn sealed(material: NewMaterial) -> (Uuid, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_embedded(folder.path()).await.unwrap();
    let intake = intake(&folder, Arc::new(store.clone()));
    let accepted = intake.accept(WORKSPACE, arrival(vec![material])).await.unwrap();
    let [row] = waiting(&store).await.try_into().unwrap();
    let MaterialAt::SealedUrl(sealed) = &accepted.materials[0].at else { panic!("{accepted:?}") };
    assert!(!row.body.contains("exotel:"), "{}", row.body);
    let address = intake.sealer.open(&seal::of_call(WORKSPACE, accepted.call), sealed).unwrap();
    (row.event_id, accepted.materials[0].digest.clone(), address)
}

fn held(file: HeldFile) -> NewMaterial {
    NewMaterial::Held { kind: MaterialKind::Recording, file, media_type: None }
}

#[tokio::test]
async fn a_recording_that_a_provider_keeps_is_the_same_material_with_and_without_its_url() {
    let file = HeldFile::new(Holder::Exotel, "CALL-1");
    let (first, digest, address) = sealed(held(file.clone())).await;
    assert_eq!(address, "exotel:CALL-1");
    for url in ["https://recordings.exotel.com/a.mp3?sig=1", "https://recordings.exotel.com/a.mp3?sig=2"] {
        let file = file.clone().with("url", url);
        let (event, known, address) = sealed(held(file.clone())).await;
        assert_eq!((event, &known), (first, &digest), "the same is not announced and not paid twice");
        assert_eq!(HeldFile::read(&address), Some(file));
    }
    let (_, other, _) = sealed(held(HeldFile::new(Holder::Exotel, "CALL-2"))).await;
    assert_ne!(other, digest);
}

#[tokio::test]
async fn the_address_of_a_held_file_that_a_sender_gave_as_a_url_is_not_taken_for_one() {
    for text in ["exotel:CALL-2", " EXOTEL:CALL-2?url=https%3A%2F%2Fx.example.com"] {
        let (_, _, address) = sealed(NewMaterial::Url(text.to_owned())).await;
        assert_eq!(HeldFile::read(&address), None, "{address}");
    }
    let (_, _, address) = sealed(NewMaterial::Url("https://x.example.com/a?sig=1".to_owned())).await;
    assert_eq!(address, "https://x.example.com/a?sig=1");
}
