//! Sizes as a strategy asks its context for them.

use super::{Ask, NoSize};
use crate::domain::event::FEE_DECIMALS;
use crate::domain::{InstrumentId, Price, Qty};
use crate::strategy::Context;

impl Context<'_> {
    /// How much to trade at `entry`, by the strategy's `sizing`: whole lots, never more than that allows. A method that
    /// goes by the loss needs `stop`, where the position would be left.
    ///
    /// ```
    /// # use algo_trader::domain::{InstrumentId, Price, Qty};
    /// # use algo_trader::strategy::Context;
    /// # fn enter(ctx: &mut Context<'_>, btc: InstrumentId, entry: Price, stop: Price) {
    /// let Ok(qty) = ctx.size(btc, entry, Some(stop)) else { return };
    /// let _ = ctx.bracket(btc, algo_trader::domain::Side::Buy, qty).stop_at(stop).send();
    /// # }
    /// ```
    ///
    /// A configured `sizing` is refused at the start unless the strategy said that it asks:
    /// [`Setup::size_entries`](crate::strategy::Setup::size_entries).
    ///
    /// # Errors
    /// [`NoSize`]: [`NotConfigured`](NoSize::NotConfigured) where the strategy has no `sizing`, else why it allows nothing.
    pub fn size(
        &mut self,
        instrument: InstrumentId,
        entry: Price,
        stop: Option<Price>,
    ) -> Result<Qty, NoSize> {
        let sizer = self.desk.sizer.as_ref().ok_or(NoSize::NotConfigured)?;
        let of = self.view.table.get(instrument);
        let ask = Ask {
            instrument: of,
            entry,
            stop,
            profit: self.profit_in(&of.quote),
            atr: sizer.atr(instrument),
            instruments: sizer.instruments(),
        };
        let sized = sizer.size(&ask, self.view.seq);
        let nothing = sized.as_ref().map_or(true, |sized| sized.qty.0 == 0);
        let in_time = self.view.now >= self.view.trades_from;
        self.desk.sized_at_nothing += u64::from(nothing && in_time);
        let sized = sized?;
        self.desk.sized = Some(sized);
        Ok(sized.qty)
    }

    /// The same where a strategy has a quantity of its own: `otherwise` without a `sizing`, and nothing where that allows
    /// nothing.
    pub fn size_or(
        &mut self,
        otherwise: Qty,
        instrument: InstrumentId,
        entry: Price,
        stop: Option<Price>,
    ) -> Qty {
        match self.size(instrument, entry, stop) {
            Ok(qty) => qty,
            Err(NoSize::NotConfigured) => otherwise,
            Err(_) => Qty::ZERO,
        }
    }

    /// What this strategy earned in an asset, open positions at the middle of the book, less fees; units of 10^-8.
    fn profit_in(&self, quote: &str) -> i128 {
        let held = self.view.table.all().iter().zip(&self.desk.state.positions);
        let held = held.filter(|(of, position)| position.fills > 0 && of.quote == quote);
        held.map(|(of, position)| {
            // Before there is a book, what is open is worth what it cost; of one that cannot be trusted by now, the last is
            // nearer than that.
            let top = self.view.top(of.id);
            let priced = top.bid.qty.0 > 0 && top.ask.qty.0 > 0;
            let open = if priced { position.unrealised(top.mid()).0 } else { 0 };
            let booked = position.realised.minus(position.fees_in_base).0;
            let earned = booked.saturating_add(open);
            let units = |decimals: u8| 10i128.pow(u32::from(decimals));
            // Rounded down, also where it is a loss.
            let earned = match of.notional_decimals().checked_sub(FEE_DECIMALS) {
                Some(more) => earned.div_euclid(units(more)),
                None => earned.saturating_mul(units(FEE_DECIMALS - of.notional_decimals())),
            };
            earned.saturating_sub(position.fees.into())
        })
        .fold(0, i128::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{FeeAsset, Report};
    use crate::domain::instrument::tests::sample;
    use crate::domain::order::ReportKind;
    use crate::domain::{InstrumentTable, Market, OrderId, Side, StrategyId};
    use crate::strategy::context::View;
    use crate::strategy::desk::Desk;

    #[test]
    fn commissions_in_the_base_asset_are_no_profit() {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
        let (view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
        for (side, qty, fee_asset, fee) in
            [(Side::Buy, 1_000, FeeAsset::Base, 1), (Side::Sell, 999, FeeAsset::Quote, 5)]
        {
            desk.state.positions[0].book(&Report {
                instrument: InstrumentId(0),
                order: OrderId(1),
                strategy: StrategyId(0),
                side,
                kind: ReportKind::Fill,
                qty: Qty(qty),
                price: Price(5_000),
                fee,
                fee_asset,
                trade_id: 1,
                maker: false,
            });
        }
        // 1.000 bought and 0.999 sold at 50.00: 0.05 is gone, and 5 units of the other fee.
        let earned = Context { view: &view, desk: &mut desk }.profit_in("USDT");
        assert_eq!(earned, -5_000_000 - 5);
    }
}
