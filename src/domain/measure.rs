//! What a limit is a limit of, and how it binds, where one rule has limits of several kinds: a denial carries it beside
//! the two numbers.

/// The part of an order, or of what is open beside it, that a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The limit price, given or pegged.
    Price = 1,
    /// The price that triggers a stop.
    StopPrice = 2,
    /// The quantity of the base asset.
    Quantity = 3,
    /// The part of an iceberg that shows.
    IcebergQty = 4,
    /// Price times quantity, or the quote quantity of a market order.
    Value = 5,
    /// The distance of a trailing stop, in hundredths of a per cent.
    TrailingDelta = 6,
    /// The parts of an iceberg.
    Parts = 7,
    /// Base asset held and being bought, this order included.
    Position = 8,
    /// Open orders, this one included.
    OpenOrders = 9,
    /// Open stop and take-profit orders, this one included.
    OpenAlgoOrders = 10,
    /// Open icebergs, this one included.
    OpenIcebergs = 11,
    /// Open order lists, this one included.
    OpenLists = 12,
    /// Amendments of the order, this one included.
    Amendments = 13,
    /// What a buy can cost at the worst, its fee included; of the quote asset.
    Cost = 14,
    /// What a sell takes out of its wallet; of the base asset.
    Sold = 15,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Price,
        Self::StopPrice,
        Self::Quantity,
        Self::IcebergQty,
        Self::Value,
        Self::TrailingDelta,
        Self::Parts,
        Self::Position,
        Self::OpenOrders,
        Self::OpenAlgoOrders,
        Self::OpenIcebergs,
        Self::OpenLists,
        Self::Amendments,
        Self::Cost,
        Self::Sold,
    ];

    /// The words for it in messages.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Subject::Price => "price",
            Subject::StopPrice => "stop price",
            Subject::Quantity => "quantity",
            Subject::IcebergQty => "iceberg quantity",
            Subject::Value => "order value",
            Subject::TrailingDelta => "trailing delta",
            Subject::Parts => "number of iceberg parts",
            Subject::Position => "position with this order",
            Subject::OpenOrders => "number of open orders with this one",
            Subject::OpenAlgoOrders => "number of open stop and take-profit orders with this one",
            Subject::OpenIcebergs => "number of open icebergs with this one",
            Subject::OpenLists => "number of open order lists with this one",
            Subject::Amendments => "number of amendments with this one",
            Subject::Cost => "cost with its fee",
            Subject::Sold => "quantity to sell",
        }
    }
}

/// How a limit binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binds {
    /// Not more than the limit.
    AtMost = 1,
    /// Not less than it.
    AtLeast = 2,
    /// A whole number of it.
    MultipleOf = 3,
    /// More than it.
    MoreThan = 4,
}

impl Binds {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::AtMost, Self::AtLeast, Self::MultipleOf, Self::MoreThan];

    /// The words for it, before the limit.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Binds::AtMost => "at most",
            Binds::AtLeast => "at least",
            Binds::MultipleOf => "a multiple of",
            Binds::MoreThan => "more than",
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Measure {
    /// Of what.
    pub subject: Subject,
    /// How.
    pub binds: Binds,
}

impl Measure {
    /// As a slot has it; zero is none.
    #[must_use]
    pub const fn code(measure: Option<Self>) -> u16 {
        match measure {
            Some(Self { subject, binds }) => subject as u16 | (binds as u16) << 8,
            None => 0,
        }
    }

    /// From a slot; none too of a code that is not known.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        let [subject, binds] = code.to_le_bytes();
        let subject = Subject::ALL.into_iter().find(|known| *known as u8 == subject)?;
        let binds = Binds::ALL.into_iter().find(|known| *known as u8 == binds)?;
        Some(Self { subject, binds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_comes_back_from_its_code_and_nothing_else_does() {
        let mut codes = std::collections::BTreeSet::from([0]);
        assert_eq!(Measure::from_code(Measure::code(None)), None);
        for subject in Subject::ALL {
            for binds in Binds::ALL {
                let measure = Some(Measure { subject, binds });
                let code = Measure::code(measure);
                assert!(codes.insert(code), "{measure:?} has the code of another");
                assert_eq!(Measure::from_code(code), measure);
            }
        }
        let known = (0..=u16::MAX).filter(|code| Measure::from_code(*code).is_some()).count();
        assert_eq!(known, Subject::ALL.len() * Binds::ALL.len());
    }
}
