//! Words and rules of Apportion: units, series, forecasts, plans, the guard and the tick. Pure.
