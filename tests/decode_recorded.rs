//! Every recorded Binance frame decodes, and both decoding paths say the same of it.

#[path = "support/frames.rs"]
mod frames;

use algo_trader::venue::binance::Decoder;
use algo_trader::venue::{Decoded, LevelBuffer};

#[derive(Default, Debug, PartialEq)]
struct Counts {
    trades: u64,
    quotes: u64,
    diffs: u64,
    snapshots: u64,
    levels_max: usize,
}

#[test]
fn recorded_frames_all_decode_and_the_fast_path_agrees_with_the_reference() {
    let Some(files) = frames::recorded() else { return };
    let table = frames::table();
    let (mut decoder, mut reference) = (Decoder::new(&table), Decoder::new(&table));
    let (mut fast, mut slow) = (LevelBuffer::new(), LevelBuffer::new());
    let mut counts = Counts::default();
    let mut frames = 0;
    for file in &files {
        for (number, frame) in file.frames() {
            let at = || format!("{} line {number}: {}", file.source.name, String::from_utf8_lossy(frame));
            let decoded =
                decoder.decode(&file.source, frame, &mut fast).unwrap_or_else(|e| panic!("{e}: {}", at()));
            let expected = reference.decode_reference(&file.source, frame, &mut slow);
            assert_eq!(Ok(decoded), expected, "{}", at());
            assert_eq!(fast.levels, slow.levels, "{}", at());
            frames += 1;
            match decoded {
                Decoded::Trade(_) => counts.trades += 1,
                Decoded::Quote(_) => counts.quotes += 1,
                Decoded::DepthDiff(head) => {
                    counts.diffs += 1;
                    counts.levels_max = counts.levels_max.max(head.levels());
                    assert_eq!(head.levels(), fast.levels.len(), "{}", at());
                }
                Decoded::DepthSnapshot(head) => {
                    counts.snapshots += 1;
                    assert_eq!((head.bids, head.asks), (1000, 1000), "{}", at());
                }
                other => panic!("{other:?}: {}", at()),
            }
        }
    }
    assert_eq!(frames, 446_313);
    assert_eq!(counts.trades + counts.quotes + counts.diffs, 446_308);
    assert_eq!((counts.snapshots, counts.levels_max), (5, 1_226));
    assert_eq!((decoder.fast_hits(), decoder.fallbacks()), (446_313, 0), "Binance's own shapes are all fast");
}
