//! Before the first order: the key and what it may do, the symbols' rules as they are listed now, and what the account
//! holds. Everything that can be refused is refused here, before a thread is started.

use super::OrdersError;
use super::keys::{self, KeyOf};
use crate::domain::decimal::DecimalError;
use crate::domain::instrument::TableError;
use crate::domain::wallet::START_DECIMALS;
use crate::domain::{Instrument, InstrumentId, InstrumentTable, Market, StartingBalance, Time, decimal};
use crate::journal::JournalHeader;
use crate::net::http::{HttpAnswer, HttpClient, HttpRequest};
use crate::net::{Endpoint, TlsClient, said};
use crate::run::config::{Config, TradingConfig};
use crate::run::interrupt::Interrupt;
use crate::run::live::wall_clock;
use crate::security::Credentials;
use crate::venue::binance::exchange_info::{ExchangeInfo, Fees, InfoError, RateLimit, Symbol};
use crate::venue::binance::filters::Filters;
use crate::venue::binance::request::{Request, RestRequest, Timing};
use crate::venue::{NativeForms, VenueTerms};
use serde_json::Value;
use std::time::{Duration, Instant};
use thiserror::Error;

/// `exchangeInfo` of all symbols has more than ten megabytes.
const BODY_BYTES_MAX: u64 = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(20);
/// The longest answer shown to a person.
const SHOWN_CHARS: usize = 200;

/// Why no order will be sent.
#[derive(Debug, Error)]
pub enum PreflightError {
    /// No answer.
    #[error("{what} could not be asked of {endpoint}: {error}")]
    Unanswered {
        /// What was asked for.
        what: &'static str,
        /// Of whom.
        endpoint: String,
        /// What happened.
        error: crate::net::http::HttpError,
    },
    /// A refusal.
    #[error("{endpoint} refused {what} (HTTP {status}): {said}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Who.
        endpoint: String,
        /// The status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// It wants silence.
    #[error(
        "{endpoint} takes no requests from here until {until} (HTTP {status} to the question for {what}): to ask before makes \
         that longer"
    )]
    Silenced {
        /// What was asked for.
        what: &'static str,
        /// Who.
        endpoint: String,
        /// 418 of a ban, 429 of a limit.
        status: u16,
        /// Until when.
        until: Time,
        /// How long that was when it was said, where it said so.
        retry_after_s: Option<u64>,
    },
    /// The end was asked for while the venue's silence was waited for.
    #[error(
        "the end was asked for before the venue took requests again, which is at {until}: nothing was started"
    )]
    Interrupted {
        /// Until when it would have been waited.
        until: Time,
    },
    /// An answer of no use.
    #[error("{endpoint} answered {what} with something else: {problem}; is this the venue's address?")]
    Unreadable {
        /// What was asked for.
        what: &'static str,
        /// Who.
        endpoint: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The rules of the symbols are of no use.
    #[error("exchangeInfo: {0}")]
    Info(#[from] InfoError),
    /// The key may withdraw.
    #[error(
        "the key may withdraw: make one that may not, or take it all the same with [trading] allow_withdrawal_keys = true"
    )]
    MayWithdraw,
    /// What the key may do cannot be asked for.
    #[error(
        "what the key may do cannot be asked of {0} (the test network has no such call): if you are sure that it may \
         not withdraw, set [trading] allow_withdrawal_keys = true"
    )]
    Unknowable(String),
    /// The key may not trade.
    #[error("the key may not trade on spot: enable it on the venue's site")]
    MayNotTrade,
    /// The account may not trade.
    #[error("the account may not trade: ask the venue")]
    AccountMayNotTrade,
    /// A strategy trades what is not listed, and no run before left anything in it.
    #[error("{name} is traded by a strategy, and cannot be: {problem}")]
    NotListed {
        /// The instrument.
        name: String,
        /// Why.
        problem: String,
    },
    /// A strategy trades a symbol that does not allow the configured mode of self-trade prevention.
    #[error(
        "{name} does not allow self-trade prevention {mode}, which [trading] self_trade_prevention asks for; it allows \
         {allowed}: choose one of them, or \"default\""
    )]
    SelfTrade {
        /// The instrument.
        name: String,
        /// The configured mode, as the venue calls it.
        mode: &'static str,
        /// What the venue lists.
        allowed: String,
    },
    /// The instruments as the venue lists them make no table.
    #[error("the instruments as the venue lists them: {0}")]
    Table(#[from] TableError),
}

/// What was found out.
pub(super) struct Found {
    pub credentials: Credentials,
    /// The configuration with the symbols' present rules and the account's balances.
    pub config: Config,
    pub terms: VenueTerms,
    /// The number that the venue gives the account, where it says one.
    pub account: Option<u64>,
    /// What the venue lets be asked of it, now.
    pub limits: Vec<RateLimit>,
    /// What strategies trade and the venue does not list, or not so that it can be used, and why: it takes no orders until it is.
    pub unlisted: Vec<(InstrumentId, String)>,
}

/// The instruments by the rules that the venue lists now.
struct Adopted {
    instruments: InstrumentTable,
    terms: VenueTerms,
    limits: Vec<RateLimit>,
    unlisted: Vec<(InstrumentId, String)>,
}

/// Asks everything, in the order in which it can fail. A venue that wants silence is given it, until `interrupt` is raised.
/// Each wait is told through `waiting` too.
///
/// Of a run that goes on with an `earlier` one, what is not listed is no reason to refuse it: all else that was left would
/// have nobody to look after it.
pub(super) fn check(
    config: &Config,
    earlier: Option<&JournalHeader>,
    tls: &TlsClient,
    interrupt: &Interrupt,
    waiting: &dyn Fn(&str),
) -> Result<Found, OrdersError> {
    let credentials = keys::load(&config.trading, KeyOf::Engine)?;
    let endpoint = config.venue.endpoints(Market::Spot).rest.clone();
    let http = HttpClient::new(tls, TIMEOUT, BODY_BYTES_MAX);
    let trading = &config.trading;
    let mut desk = Asking { http, endpoint, credentials, offset_ns: 0, trading, earlier, interrupt, waiting };
    desk.patiently(Asking::learn_the_time)?;
    desk.patiently(|desk| desk.check_the_key())?;
    let Adopted { instruments, terms, limits, unlisted } = desk.patiently(|desk| desk.adopt(config))?;
    let (balances, account) = desk.patiently(|desk| desk.balances(&instruments))?;
    let mut adopted = config.clone();
    adopted.instruments = instruments;
    adopted.paper.balances.retain(|balance| balance.market != Market::Spot);
    adopted.paper.balances.extend(balances);
    Ok(Found { credentials: desk.credentials, config: adopted, terms, account, limits, unlisted })
}

struct Asking<'a> {
    http: HttpClient,
    endpoint: Endpoint,
    credentials: Credentials,
    /// The venue's clock less ours, ns.
    offset_ns: i64,
    trading: &'a TradingConfig,
    /// Of the run that this one goes on with.
    earlier: Option<&'a JournalHeader>,
    interrupt: &'a Interrupt,
    waiting: &'a dyn Fn(&str),
}

/// The longest ban there is, by the venue's documentation; a `Retry-After` beyond it is not believed.
const SILENCE_MAX: Duration = Duration::from_secs(3 * 86_400);
/// The silence where it is not said how long it lasts: of a ban, the shortest that there is, and of a limit its window. It
/// doubles while the venue goes on so.
const SILENCE_UNSAID: Duration = Duration::from_secs(120);
const LIMIT_UNSAID: Duration = Duration::from_secs(60);
const UNSAID_MAX: Duration = Duration::from_secs(3_600);
/// The venue says whole seconds, and its last one may not be over.
const SILENCE_MARGIN: Duration = Duration::from_secs(1);
/// Between two looks whether the end is asked for.
const LOOK: Duration = Duration::from_millis(50);

/// How long to be silent, where that was asked for `times` times before without saying for how long.
fn silence(status: u16, retry_after_s: Option<u64>, times: u32) -> Duration {
    match retry_after_s.map(Duration::from_secs) {
        Some(given) if !given.is_zero() && given <= SILENCE_MAX => given + SILENCE_MARGIN,
        _ => {
            let first = if status == 418 { SILENCE_UNSAID } else { LIMIT_UNSAID };
            first.saturating_mul(1 << times.min(16)).min(UNSAID_MAX)
        }
    }
}

impl Asking<'_> {
    /// Asks, and where the venue wants silence waits for its end and asks again. A start that failed instead would be tried
    /// again by whatever keeps the process running, each few seconds: who asks during a ban is banned for longer.
    fn patiently<T>(
        &mut self,
        mut ask: impl FnMut(&mut Self) -> Result<T, PreflightError>,
    ) -> Result<T, PreflightError> {
        let mut times = 0;
        loop {
            match ask(self) {
                Err(PreflightError::Silenced { what, endpoint, status, retry_after_s, .. }) => {
                    let silence = silence(status, retry_after_s, times);
                    times += 1;
                    let until = wall_clock().plus(silence);
                    let why = format!(
                        "{endpoint} takes no requests from here (HTTP {status} to the question for {what}): it is asked again \
                         at {until}, in {} s, and nothing is started before",
                        silence.as_secs()
                    );
                    log::warn!("{why}; Ctrl-C ends the waiting");
                    (self.waiting)(&why);
                    self.wait(silence, until)?;
                }
                done => return done,
            }
        }
    }

    fn wait(&self, silence: Duration, until: Time) -> Result<(), PreflightError> {
        let begun = Instant::now();
        while begun.elapsed() < silence {
            if self.interrupt.is_raised() {
                return Err(PreflightError::Interrupted { until });
            }
            std::thread::sleep(LOOK.min(silence.saturating_sub(begun.elapsed())));
        }
        Ok(())
    }

    fn get(&self, what: &'static str, path: &str) -> Result<HttpAnswer, PreflightError> {
        let key = [("X-MBX-APIKEY", self.credentials.api_key.as_str())];
        let request = HttpRequest { method: "GET", path, headers: &key, ..HttpRequest::default() };
        let endpoint = self.endpoint.to_string();
        let answer = match self.http.request(&self.endpoint, &request) {
            Ok(answer) => answer,
            Err(error) => return Err(PreflightError::Unanswered { what, endpoint, error }),
        };
        let (status, retry_after_s) = (answer.status, answer.retry_after_s);
        if matches!(status, 418 | 429) {
            let until = wall_clock().plus(silence(status, retry_after_s, 0));
            return Err(PreflightError::Silenced { what, endpoint, status, until, retry_after_s });
        }
        Ok(answer)
    }

    fn good(&self, what: &'static str, answer: HttpAnswer) -> Result<HttpAnswer, PreflightError> {
        if answer.status == 200 {
            return Ok(answer);
        }
        let said = said(&answer.body, SHOWN_CHARS);
        Err(PreflightError::Refused {
            what,
            endpoint: self.endpoint.to_string(),
            status: answer.status,
            said,
        })
    }

    fn json(&self, what: &'static str, answer: HttpAnswer) -> Result<Value, PreflightError> {
        let answer = self.good(what, answer)?;
        serde_json::from_slice(&answer.body).map_err(|error| self.unreadable(what, error.to_string()))
    }

    fn unreadable(&self, what: &'static str, problem: String) -> PreflightError {
        PreflightError::Unreadable { what, endpoint: self.endpoint.to_string(), problem }
    }

    fn timing(&self) -> Timing {
        let now = wall_clock().0.saturating_add_signed(self.offset_ns);
        Timing { timestamp: now / 1_000_000, recv_window: Some(self.trading.recv_window) }
    }

    fn learn_the_time(&mut self) -> Result<(), PreflightError> {
        const WHAT: &str = "the time";
        let sent = wall_clock();
        let reply = self.json(WHAT, self.get(WHAT, "/api/v3/time")?)?;
        let half = wall_clock().since(sent) / 2;
        let theirs =
            reply["serverTime"].as_u64().ok_or_else(|| self.unreadable(WHAT, "no serverTime".into()))?;
        let ours = sent.0.saturating_add(half);
        self.offset_ns = i64::try_from(i128::from(theirs) * 1_000_000 - i128::from(ours)).unwrap_or(0);
        Ok(())
    }

    fn check_the_key(&self) -> Result<(), PreflightError> {
        const WHAT: &str = "the key's permissions";
        let mut written = RestRequest::new();
        let query = written.write_with(self.timing(), &self.credentials, |_| Ok(()));
        let query = query.map_err(|error| self.unreadable(WHAT, error.to_string()))?;
        let answer = self.get(WHAT, &format!("/sapi/v1/account/apiRestrictions?{query}"))?;
        if answer.status == 404 {
            if !self.trading.allow_withdrawal_keys {
                return Err(PreflightError::Unknowable(self.endpoint.to_string()));
            }
            log::warn!("what the key may do cannot be asked of {}; going on as configured", self.endpoint);
            return Ok(());
        }
        let reply = self.json(WHAT, answer)?;
        let may = |name: &str| reply[name].as_bool();
        match may("enableWithdrawals") {
            Some(false) => {}
            Some(true) if self.trading.allow_withdrawal_keys => {
                log::warn!("the key may withdraw; taken since [trading] allow_withdrawal_keys = true");
            }
            Some(true) => return Err(PreflightError::MayWithdraw),
            None => return Err(self.unreadable(WHAT, "no enableWithdrawals".into())),
        }
        if may("enableSpotAndMarginTrading") == Some(false) {
            return Err(PreflightError::MayNotTrade);
        }
        if may("ipRestrict") == Some(false) {
            log::warn!("the key is good from any address: restrict it to this machine's on the venue's site");
        }
        Ok(())
    }

    /// The instruments by the rules that the venue lists now, with its limits; what differs from the files is told.
    fn adopt(&self, config: &Config) -> Result<Adopted, PreflightError> {
        const WHAT: &str = "exchangeInfo";
        let answer = self.good(WHAT, self.get(WHAT, "/api/v3/exchangeInfo")?)?;
        let mut all = config.instruments.all().to_vec();
        let spot = |name: &str| all.iter().any(|i| i.market == Market::Spot && i.symbol == name);
        // Fees are not listed; those of the files are kept below.
        let fees = Fees { maker: Default::default(), taker: Default::default() };
        let info = ExchangeInfo::read_wanted(&answer.body, fees, &spot)?;
        let mut unlisted = Vec::new();
        for ours in all.iter_mut().filter(|i| i.market == Market::Spot) {
            match info.symbol(&ours.symbol) {
                Some(symbol) => {
                    if trades(config, ours.id) {
                        self.allows_self_trade_mode(ours, symbol)?;
                    }
                    take_over(ours, &symbol.instrument);
                }
                None => {
                    let unusable = info.unusable.iter().find(|u| u.symbol == ours.symbol);
                    let problem =
                        unusable.map_or("the venue does not list it".to_owned(), ToString::to_string);
                    let traded = trades(config, ours.id);
                    match self.listed_before(ours) {
                        Some(then) => *ours = by_rules_of(ours, then),
                        None if traded => {
                            return Err(PreflightError::NotListed { name: ours.name(), problem });
                        }
                        None => {}
                    }
                    match traded {
                        true => unlisted.push((ours.id, problem)),
                        false => log::warn!("{}: {problem}", ours.name()),
                    }
                }
            }
        }
        let listed = |i: &Instrument| match i.market {
            Market::Spot => info.symbol(&i.symbol),
            Market::UsdM | Market::CoinM => None,
        };
        let terms = all.iter().map(|i| match listed(i) {
            Some(symbol) => (symbol.filters, NativeForms::of_symbol(symbol)),
            None => self.terms_before(i).unwrap_or_else(|| (i.into(), NativeForms::NONE)),
        });
        let (filters, forms) = terms.unzip();
        let terms = VenueTerms { filters, forms };
        let (instruments, limits) = (InstrumentTable::new(all)?, info.rate_limits);
        Ok(Adopted { instruments, terms, limits, unlisted })
    }

    /// How a spot instrument was listed for the run that this one goes on with, which orders and positions of it are in.
    fn listed_before(&self, ours: &Instrument) -> Option<&Instrument> {
        let then = self.earlier?.instruments.get(ours.id.index())?;
        (ours.market == Market::Spot && then.name() == ours.name()).then_some(then)
    }

    /// What else the venue told of it then.
    fn terms_before(&self, ours: &Instrument) -> Option<(Filters, NativeForms)> {
        self.listed_before(ours)?;
        let (terms, at) = (self.earlier?.terms.as_ref()?, ours.id.index());
        Some((*terms.filters.get(at)?, *terms.forms.get(at)?))
    }

    /// Whether orders in a symbol may name the configured mode of self-trade prevention.
    fn allows_self_trade_mode(&self, of: &Instrument, symbol: &Symbol) -> Result<(), PreflightError> {
        match self.trading.self_trade {
            Some(mode) if !mode.is_among(&symbol.self_trade_modes) => {
                let allowed = match &*symbol.self_trade_modes {
                    [] => "none that can be named".to_owned(),
                    modes => modes.join(", "),
                };
                Err(PreflightError::SelfTrade { name: of.name(), mode: mode.name(), allowed })
            }
            _ => Ok(()),
        }
    }

    /// What the account has free, of the assets that can be traded; and the account's number, which stays when its keys are
    /// replaced.
    fn balances(
        &self,
        table: &InstrumentTable,
    ) -> Result<(Vec<StartingBalance>, Option<u64>), PreflightError> {
        const WHAT: &str = "the account";
        let mut written = RestRequest::new();
        let request = Request::Account { omit_zero: true };
        let call = written.write(&request, self.timing(), &self.credentials);
        let call = call.map_err(|error| self.unreadable(WHAT, error.to_string()))?;
        let reply = self.json(WHAT, self.get(WHAT, &format!("{}?{}", call.path, call.query))?)?;
        if reply["canTrade"].as_bool() == Some(false) {
            return Err(PreflightError::AccountMayNotTrade);
        }
        let rows = reply["balances"].as_array();
        let rows = rows.ok_or_else(|| self.unreadable(WHAT, "no balances".into()))?;
        let mut balances = Vec::new();
        for row in rows {
            let (Some(asset), Some(free)) = (row["asset"].as_str(), row["free"].as_str()) else { continue };
            let known = |i: &&Instrument| i.market == Market::Spot && (i.base == asset || i.quote == asset);
            let Some(of) = table.all().iter().find(known) else { continue };
            let (amount, all) =
                counted(free).map_err(|error| self.unreadable(WHAT, format!("{asset}: {error}")))?;
            if !all {
                let shown = decimal::Scaled { value: amount.into(), decimals: START_DECIMALS };
                log::warn!(
                    "the account has {free} {asset}, more than can be counted: {shown:#} of it may be used"
                );
            }
            let (venue, market) = (of.venue.clone(), Market::Spot);
            balances.push(StartingBalance { venue, market, asset: asset.to_owned(), amount });
        }
        Ok((balances, reply["uid"].as_u64()))
    }
}

/// What of an asset can be counted, and whether that is all of it but what is finer than eight decimals: there are assets of
/// which a person has more than 64 bits count at as many, and a wallet with less than there is denies nothing that it should
/// not.
fn counted(free: &str) -> Result<(i64, bool), DecimalError> {
    match decimal::parse(free.as_bytes(), START_DECIMALS) {
        Ok(amount) => Ok((amount, true)),
        Err(DecimalError::Overflow) if !free.starts_with('-') => Ok((i64::MAX, false)),
        Err(DecimalError::TooPrecise) => {
            let places = free.find('.').map_or(free.len(), |point| point + 1 + usize::from(START_DECIMALS));
            let (kept, finer) = free.split_at(places);
            if finer.bytes().all(|digit| digit.is_ascii_digit()) {
                counted(kept)
            } else {
                Err(DecimalError::Invalid)
            }
        }
        Err(error) => Err(error),
    }
}

fn trades(config: &Config, id: InstrumentId) -> bool {
    config.strategies.iter().any(|strategy| strategy.instruments.contains(&id))
}

/// `ours` by the rules of `theirs`.
fn by_rules_of(ours: &Instrument, theirs: &Instrument) -> Instrument {
    Instrument {
        id: ours.id,
        venue: ours.venue.clone(),
        maker_fee: ours.maker_fee,
        taker_fee: ours.taker_fee,
        ..theirs.clone()
    }
}

/// Gives `ours` the rules of `theirs`, and tells what changed.
fn take_over(ours: &mut Instrument, theirs: &Instrument) {
    let listed = by_rules_of(ours, theirs);
    if listed != *ours {
        let shown = |i: &Instrument| {
            let scaled = |value: i64, decimals| decimal::Scaled { value: value.into(), decimals };
            format!(
                "{} and {} decimals, tick {:#}, lot {:#}, quantity {:#} to {:#}",
                i.price_decimals,
                i.qty_decimals,
                scaled(i.tick.0, i.price_decimals),
                scaled(i.lot.0, i.qty_decimals),
                scaled(i.min_qty.0, i.qty_decimals),
                scaled(i.max_qty.0, i.qty_decimals),
            )
        };
        log::warn!(
            "{} is listed with {}, and the instrument file says {}: the venue's rules are taken",
            ours.name(),
            shown(&listed),
            shown(ours)
        );
        *ours = listed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_than_can_be_counted_so_much_is_there_as_can_be() {
        assert_eq!(counted("92233720368.54775807"), Ok((i64::MAX, true)));
        assert_eq!(counted("92233720369.00000000"), Ok((i64::MAX, false)));
        assert_eq!(counted("0.00000001"), Ok((1, true)));
        // A venue that prints what is finer than a unit.
        assert_eq!(counted("0.000000019"), Ok((1, true)));
        assert_eq!(counted("1499.792152796"), Ok((149_979_215_279, true)));
        for (text, error) in [
            ("-92233720369.00000000", DecimalError::Overflow),
            ("1e9", DecimalError::Invalid),
            ("", DecimalError::Empty),
            ("1.000000001x", DecimalError::Invalid),
        ] {
            assert_eq!(counted(text), Err(error), "{text}");
        }
    }

    #[test]
    fn silence_is_as_long_as_the_venue_says_and_where_it_says_nothing_of_use_within_bounds() {
        let seconds = |status, retry_after, times| silence(status, retry_after, times).as_secs();
        // What is said holds, with a second for its rounding.
        assert_eq!((seconds(418, Some(120), 0), seconds(429, Some(7), 5)), (121, 8));
        assert_eq!(seconds(418, Some(3 * 86_400), 0), 3 * 86_400 + 1);
        for absurd in [None, Some(0), Some(3 * 86_400 + 1), Some(u64::MAX)] {
            let waits = [0, 1, 2, 9, u32::MAX].map(|times| seconds(418, absurd, times));
            assert_eq!(waits, [120, 240, 480, 3_600, 3_600], "{absurd:?}");
            assert_eq!(seconds(429, absurd, 0), 60, "{absurd:?}");
        }
    }
}
