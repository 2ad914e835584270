//! Cuts that the venue announces.

use super::*;

#[test]
fn a_cut_that_is_announced_of_each_connection_that_opens_makes_the_next_wait() {
    let mut rig = Rig::new(settings(), 1);
    let shutdown = br#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#;
    let id = rig.connect(0);
    rig.open(id);
    // One that has lasted is replaced at once.
    for _ in 0..30 {
        rig.trade(id);
        rig.pass(1_000);
    }
    rig.client.control(id, shutdown, rig.now, &mut rig.out);
    let (mut connects, mut newest) = (Vec::new(), id);
    for ms in 0..120_000 {
        for request in rig.pass(1) {
            if let Request::Connect { connection, .. } = request {
                connects.push(rig.now.0 / MS);
                rig.open(connection);
                rig.client.control(connection, shutdown, rig.now, &mut rig.out);
                newest = connection;
            }
        }
        if ms % 500 == 0 {
            rig.trade(newest);
        }
    }
    let waited: Vec<u64> = connects.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // It is open beside the one before for the overlap at least; then a pause counts that is longer each time.
    assert_eq!(connects[0], (BEGIN / MS) + 30_001);
    assert!(waited[0] <= 2_600 && (5..=14).contains(&waited.len()), "{waited:?}");
    assert!(waited.iter().rev().take(2).all(|ms| *ms >= 12_000), "{waited:?}");
    assert_eq!(rig.client.counts.interruptions, 0);
}
