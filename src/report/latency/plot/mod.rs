//! The plots, as inline SVG: they need no script, and take their colours from the page.

pub mod histogram;
pub mod instruments;
pub mod percentile;
pub mod rates;
mod scatter;

use crate::report::plot::axis;
use crate::report::plot::{Area, Axis, series_class};
