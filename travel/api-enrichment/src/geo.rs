//! Points on the globe.

use mercurious_contracts::Point;

/// The mean radius of the earth in metres.
const RADIUS: f64 = 6_371_008.8;

/// The point `north` and `east` metres away, kept on the globe: past a pole it stays at the pole, past the
/// antimeridian it goes on at the other side.
pub fn moved(from: Point, north: f64, east: f64) -> Point {
    let lat = (from.lat + (north / RADIUS).to_degrees()).clamp(-90.0, 90.0);
    // Near the poles a metre is many degrees.
    let shrink = from.lat.to_radians().cos().max(1e-6);
    let lon = from.lon + (east / RADIUS / shrink).to_degrees();
    let lon = (lon + 180.0).rem_euclid(360.0) - 180.0;
    Point { lat: rounded(lat), lon: rounded(lon) }
}

/// Five decimals: about a metre.
fn rounded(degrees: f64) -> f64 {
    (degrees * 1e5).round() / 1e5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_globe_also_across_the_antimeridian_and_at_the_poles() {
        let point = |lat, lon| Point { lat, lon };
        let lisbon_porto = point(38.7223, -9.1393).metres_to(point(41.1579, -8.6291));
        assert!((lisbon_porto - 274_000.0).abs() < 2_000.0, "{lisbon_porto}");
        let across = point(0.0, 179.99).metres_to(point(0.0, -179.99));
        assert!((across - 2_224.0).abs() < 5.0, "{across}");
        assert!(point(90.0, 0.0).metres_to(point(90.0, 123.0)) < 0.01);
    }

    #[test]
    fn moving_stays_on_the_globe() {
        let point = moved(Point { lat: -16.8, lon: 179.999 }, 0.0, 5_000.0);
        assert!(point.lon < -179.9, "{point:?}");
        let pole = moved(Point { lat: 89.999, lon: 10.0 }, 5_000.0, 5_000.0);
        assert!(pole.lat <= 90.0 && (-180.0..=180.0).contains(&pole.lon), "{pole:?}");
    }
}
