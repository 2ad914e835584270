//! Cancelling, and cancelling to replace.

use super::batch::Batch;
use super::client_id::ClientId;
use super::funds::AccountId;
use super::order::{Order, OrderStatus};
use super::refusal::Refusal;
use super::request::{OrderRef, OrderRequest};
use super::rules::SymbolStatus;

/// In which state an order must be to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelRestriction {
    /// Nothing of it has traded.
    OnlyNew,
    /// Something of it has traded.
    OnlyPartiallyFilled,
}

/// A cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelRequest {
    /// Which order.
    pub order: OrderRef,
    /// The client's id of the cancel, by which the order is shown from then on; where there is none, the venue gives the
    /// cancel one.
    pub client_id: Option<ClientId>,
    /// In which state only.
    pub restriction: Option<CancelRestriction>,
}

impl<T: Into<OrderRef>> From<T> for CancelRequest {
    fn from(order: T) -> Self {
        Self { order: order.into(), client_id: None, restriction: None }
    }
}

/// A cancel and a new order; not one step: the second can fail where the first did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelReplace {
    /// What to cancel.
    pub cancel: CancelRequest,
    /// What to place.
    pub new: OrderRequest,
    /// Whether to place it even where there was nothing to cancel (`ALLOW_FAILURE`).
    pub allow_failure: bool,
}

/// What became of the two; the new order was not attempted where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelReplaced {
    /// The cancelled order.
    pub canceled: Result<Order, Refusal>,
    /// The new order.
    pub placed: Option<Result<Order, Refusal>>,
}

impl CancelReplaced {
    /// The venue's code: none where both were done, -2021 where one was, -2022 where none was.
    #[must_use]
    pub const fn code(&self) -> Option<i32> {
        match (&self.canceled, &self.placed) {
            (Ok(_), Some(Ok(_))) => None,
            (Err(_), None | Some(Err(_))) => Some(-2022),
            _ => Some(-2021),
        }
    }
}

impl Batch<'_> {
    /// The account's order that is meant, open or over.
    pub fn find(
        &self,
        account: AccountId,
        which: OrderRef,
        disagree: Refusal,
    ) -> Result<Option<Order>, Refusal> {
        find(self.market, account, which, disagree)
    }

    /// Cancels an open order, and the other of its list.
    pub fn cancel(&mut self, account: AccountId, request: &CancelRequest) -> Result<u64, Refusal> {
        let found = self.find(account, request.order, Refusal::CancelIdsDisagree)?;
        let order = found.filter(|order| order.status.is_open()).ok_or(Refusal::UnknownOrder)?;
        let fits = match request.restriction {
            None => true,
            Some(CancelRestriction::OnlyNew) => order.status == OrderStatus::New,
            Some(CancelRestriction::OnlyPartiallyFilled) => order.status == OrderStatus::PartiallyFilled,
        };
        if !fits {
            return Err(Refusal::CancelRestricted);
        }
        self.end_sibling(order.number, OrderStatus::Canceled);
        let details = self.cancel_details(order.number, request.client_id);
        if let Some(id) = request.client_id {
            self.market.name_cancel(order.number, id);
        }
        self.end(order.number, OrderStatus::Canceled, None, details);
        Ok(order.number)
    }

    /// Cancels every open order of the account; returns them, or refuses where there is none.
    pub fn cancel_all(&mut self, account: AccountId) -> Result<Vec<u64>, Refusal> {
        let open: Vec<u64> = self.market.open_of(account).map(|order| order.number).collect();
        if open.is_empty() {
            return Err(Refusal::UnknownOrder);
        }
        for number in &open {
            // The other order of a list went with the first.
            if self.market.order(*number).status.is_open() {
                self.cancel(account, &(*number).into())?;
            }
        }
        Ok(open)
    }

    /// Cancels, then places. The new order's own rules are checked before either.
    pub fn cancel_replace(
        &mut self,
        account: AccountId,
        request: &CancelReplace,
    ) -> Result<CancelReplaced, Refusal> {
        if self.market.rules.status != SymbolStatus::Trading {
            return Err(Refusal::MarketClosed);
        }
        self.market.rules.check(&request.new, self.market.last)?;
        let canceled = self.cancel(account, &request.cancel).map(|number| *self.market.order(number));
        if canceled.is_err() && !request.allow_failure {
            return Ok(CancelReplaced { canceled, placed: None });
        }
        let placed = self.check(account, &[&request.new]).and_then(|()| self.place(account, &request.new));
        if let (Ok(_), Err(refusal)) = (&canceled, placed) {
            self.report_refused(account, &request.new, refusal);
        }
        let placed = placed.map(|number| *self.market.order(number));
        Ok(CancelReplaced { canceled, placed: Some(placed) })
    }
}

/// The account's order that is meant; `disagree` where its two ids are of different ones.
pub(super) fn find(
    market: &super::market::Market,
    account: AccountId,
    which: OrderRef,
    disagree: Refusal,
) -> Result<Option<Order>, Refusal> {
    let own = |order: &&Order| order.account == account;
    match (which.number, which.client_id) {
        (None, None) => Err(Refusal::NoOrderId),
        (None, Some(id)) => Ok(market.by_client_id(account, id).copied()),
        (Some(number), id) => match market.get(number).filter(own) {
            Some(order) if id.is_some_and(|id| !order.is_called(id)) => Err(disagree),
            found => Ok(found.copied()),
        },
    }
}
