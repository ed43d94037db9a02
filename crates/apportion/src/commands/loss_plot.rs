//! The loss of a training as a plot: one SVG file, axes with numbers, nothing else needed to look at it.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 48.0;

/// Mean loss by step.
#[allow(clippy::cast_precision_loss, reason = "steps are counts far below 2^52")]
pub(crate) fn svg(losses: &[(u64, f64)]) -> String {
    let most_steps = losses.last().map_or(1, |(step, _)| (*step).max(1)) as f64;
    let (low, high) = losses.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), (_, y)| (low.min(*y), high.max(*y)));
    let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
    let x = |step: f64| MARGIN + (WIDTH - 2.0 * MARGIN) * step / most_steps;
    let y = |loss: f64| HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * (loss - low) / (high - low);
    let points: Vec<String> =
        losses.iter().map(|(step, loss)| format!("{:.1},{:.1}", x(*step as f64), y(*loss))).collect();
    let mut page = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/><title>Training loss by step</title>
"##
    );
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let (loss, step) = (low + (high - low) * share, most_steps * share);
        let _ = writeln!(
            page,
            r##"<path d="M{MARGIN} {0:.1}H{1}" stroke="#ddd"/><text x="4" y="{0:.1}">{loss:.3}</text><text x="{2:.1}" y="{3}" text-anchor="middle">{step:.0}</text>"##,
            y(loss),
            WIDTH - MARGIN,
            x(step),
            HEIGHT - 16.0
        );
    }
    let _ = writeln!(
        page,
        r##"<polyline fill="none" stroke="#2563eb" stroke-width="1.5" points="{}"/>"##,
        points.join(" ")
    );
    page + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::svg;

    #[test]
    fn every_loss_is_a_point_inside_the_frame() {
        let page = svg(&[(25, 0.9), (50, 0.5), (75, 0.4)]);
        assert!(page.contains("points=\"256.0,48.0 464.0,227.2 672.0,272.0\""), "{page}");
        assert!(svg(&[]).ends_with("</svg>\n"));
    }
}
