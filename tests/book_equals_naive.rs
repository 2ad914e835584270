//! The book equals the plainest thing that could hold one, over ten million updates.

use algo_trader::domain::{Level, Price, Side};
use algo_trader::market::book::Book;
use std::collections::BTreeMap;

const UPDATES: u32 = 10_000_000;
const TICK: i64 = 10;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> i64 {
        (self.next() % n) as i64
    }
}

fn whole(map: &BTreeMap<i64, i64>) -> Vec<Level> {
    map.iter().map(|(p, q)| Level::new(*p, *q)).collect()
}

#[test]
fn after_every_update_the_best_is_that_of_an_ordered_map_and_so_is_now_and_then_the_whole() {
    let mut book = Book::new(Price(TICK));
    let (mut bids, mut asks) = (BTreeMap::<i64, i64>::new(), BTreeMap::<i64, i64>::new());
    let mut random = Random(0x005E_ED0F_B00C);
    let mut mid = 600_000i64;
    for n in 1..=UPDATES {
        // The middle wanders by ticks, and sometimes leaps by more than a window of the book.
        mid += random.below(3) - 1;
        if random.below(50_000) == 0 {
            mid = (mid + random.below(20_001) - 10_000).max(30_000);
        }
        let buy = random.next().is_multiple_of(2);
        let away = match random.below(100) {
            0..=79 => random.below(40),
            80..=96 => random.below(2_000),
            // Both far away and, now and then, across the middle.
            97 | 98 => random.below(25_000),
            _ => -random.below(6_000),
        };
        let rung = if buy { mid - away } else { mid + away };
        // Prices between ticks come in phases: while one stands the book has to look through its far levels.
        let phase = n % 1_000_000;
        let off_tick = if phase < 20_000 && random.below(500) == 0 { 3 } else { 0 };
        if phase == 20_000 {
            for (side, map) in [(Side::Buy, &mut bids), (Side::Sell, &mut asks)] {
                map.retain(|price, _| {
                    let on_tick = price % TICK == 0;
                    if !on_tick {
                        book.set(side, Level::new(*price, 0));
                    }
                    on_tick
                });
            }
        }
        let price = rung.max(1) * TICK + off_tick;
        let (side, map) = if buy { (Side::Buy, &mut bids) } else { (Side::Sell, &mut asks) };
        // More is removed than comes, so that sides run thin and windows empty.
        let gone = match (random.below(10), map.len()) {
            (0..=4, _) => Some(price),
            (5 | 6, 1..) if buy => map.last_key_value().map(|(p, _)| *p),
            (5 | 6, 1..) => map.first_key_value().map(|(p, _)| *p),
            _ => None,
        };
        let (price, qty) = gone.map_or((price, 1 + random.below(1_000)), |price| (price, 0));
        book.set(side, Level::new(price, qty));
        if qty == 0 {
            map.remove(&price);
        } else {
            map.insert(price, qty);
        }
        let (best_bid, best_ask) = (bids.last_key_value(), asks.first_key_value());
        assert_eq!(book.best_bid(), best_bid.map(|(p, q)| Level::new(*p, *q)), "update {n}");
        assert_eq!(book.best_ask(), best_ask.map(|(p, q)| Level::new(*p, *q)), "update {n}");
        if n % 100_000 == 0 {
            let mut all = whole(&bids);
            all.reverse();
            assert_eq!(book.levels(Side::Buy).collect::<Vec<_>>(), all, "update {n}");
            assert_eq!(book.levels(Side::Sell).collect::<Vec<_>>(), whole(&asks), "update {n}");
        }
    }
}
