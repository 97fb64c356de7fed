use tokio::time::advance;

use super::*;

fn peer(address: &str) -> Peer {
    Peer::new(address.parse().unwrap())
}

/// A connection that has shown a key.
async fn with_a_key(address: &str) -> Peer {
    use axum::http::Request;
    let settings = web::Settings::read(&Values::of([("DEBRIEF_API_KEY", "k")])).unwrap();
    let access = web::Access::new(&settings, Arc::new(NoKeys));
    let peer = peer(address);
    let request = Request::get("/").header("authorization", "Bearer k").extension(peer.clone());
    let (head, ()) = request.body(()).unwrap().into_parts();
    assert!(access.admit(web::Door::Read, &head).await.is_ok());
    peer
}

struct NoKeys;

impl web::KeyDirectory for NoKeys {
    fn find<'a>(
        &'a self,
        _: &'a str,
    ) -> futures::future::BoxFuture<'a, anyhow::Result<Option<domain::principal::Principal>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn signed_in<'a>(
        &'a self,
        _: &'a str,
    ) -> futures::future::BoxFuture<'a, anyhow::Result<Option<Arc<store::SignedIn>>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn has_keys(&self) -> futures::future::BoxFuture<'_, anyhow::Result<bool>> {
        Box::pin(std::future::ready(Ok(false)))
    }
}

fn has_left(place: &Place) -> bool {
    place.guest.must_leave.is_cancelled()
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_the_place_of_the_one_who_has_let_us_wait_the_longest() {
    let places = Places::new(3, PATIENCE);
    let mut guests = Vec::new();
    for _ in 0..3 {
        guests.push(places.take(&peer("192.0.2.1"), false).unwrap());
        advance(Duration::from_millis(500)).await;
    }
    // The first one is being answered, so it does not let us wait.
    guests[0].guest.activity.taken();
    let newcomer = places.take(&peer("192.0.2.2"), false);
    assert!(newcomer.is_some());
    assert_eq!(guests.iter().map(has_left).collect::<Vec<_>>(), [false, true, false]);
    assert!(
        places.take(&peer("192.0.2.3"), false).is_none(),
        "the others have waited for less than a second"
    );
    drop(guests.pop());
    assert!(places.take(&peer("192.0.2.3"), false).is_some(), "a place became free");
}

#[tokio::test(start_paused = true)]
async fn who_takes_what_we_write_or_sends_what_is_missing_does_not_have_to_leave() {
    let places = Places::new(2, PATIENCE);
    let [reads, stalls] = [(); 2].map(|()| places.take(&peer("192.0.2.1"), false).unwrap());
    for place in [&reads, &stalls] {
        place.guest.activity.taken();
        place.guest.activity.waits();
    }
    for _ in 0..5 {
        advance(Duration::from_millis(900)).await;
        reads.guest.activity.moved();
        reads.guest.activity.waits();
    }
    let newcomer = places.take(&peer("192.0.2.2"), false);
    assert!(newcomer.is_some());
    assert!(has_left(&stalls) && !has_left(&reads));
}

#[tokio::test(start_paused = true)]
async fn one_address_without_a_key_holds_half_of_the_places_and_takes_more_only_from_itself() {
    let places = Places::new(6, PATIENCE);
    let other = places.take(&peer("192.0.2.9"), true).unwrap();
    advance(Duration::from_mins(1)).await;
    let flood: Vec<Place> = (0..3).map(|_| places.take(&peer("192.0.2.1"), true).unwrap()).collect();
    assert!(places.take(&peer("192.0.2.1"), true).is_none());
    advance(Duration::from_secs(2)).await;
    let more = places.take(&peer("192.0.2.1"), true);
    assert!(more.is_some() && flood.iter().filter(|place| has_left(place)).count() == 1);
    assert!(!has_left(&other), "it has let us wait for longer, but it is another address");
    for address in ["192.0.2.2", "2001:db8::1"] {
        std::mem::forget(places.take(&peer(address), true).unwrap());
    }
    assert_eq!(lock(&places.taken).guests.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn connections_with_a_key_do_not_count_for_the_share_of_their_address_and_leave_last() {
    let places = Places::new(4, PATIENCE);
    let keyed = with_a_key("192.0.2.1").await;
    let good: Vec<Place> = (0..3).map(|_| places.take(&keyed, true).unwrap()).collect();
    advance(Duration::from_secs(9)).await;
    let unknown = places.take(&peer("192.0.2.1"), true).unwrap();
    advance(Duration::from_millis(999)).await;
    assert!(places.take(&peer("192.0.2.2"), true).is_none());
    advance(Duration::from_millis(1)).await;
    let newcomer = places.take(&peer("192.0.2.2"), true).unwrap();
    assert!(has_left(&unknown) && !good.iter().any(has_left));
    assert!(places.take(&peer("192.0.2.3"), true).is_some(), "after ten seconds a key does not help");
    assert!(!has_left(&newcomer) && good.iter().filter(|place| has_left(place)).count() == 1);
}

#[tokio::test(start_paused = true)]
async fn when_there_is_no_place_a_newcomer_is_still_told_so_and_few_others_are() {
    let doors = Doors::new(1);
    let only = doors.place(&peer("192.0.2.1"), false).unwrap();
    assert_eq!(only.1, Room::Served);
    only.0.guest.activity.taken();
    let mut told = Vec::new();
    for number in 0..TOLD_AT_ONCE {
        let place = doors.place(&peer(&format!("192.0.2.{}", number % 4 + 1)), false).unwrap();
        assert_eq!(place.1, Room::Told);
        place.0.guest.activity.taken();
        told.push(place);
    }
    assert!(doors.place(&peer("192.0.2.9"), false).is_none());
    told.pop();
    assert!(doors.place(&peer("192.0.2.9"), false).is_some());
}
