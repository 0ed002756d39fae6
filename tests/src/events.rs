//! Events for benchmarks: all alike and all good, so that what is measured is the path and not the exceptions.

/// Event number `n`: a flat JSON object of about 330 bytes with 11 fields, its timestamp `n` milliseconds after a fixed start.
pub fn bench_event(n: u64) -> String {
    let severity = ["DEBUG", "INFO", "INFO", "INFO", "WARN", "ERROR"][(n % 6) as usize];
    let (second, milli) = (n / 1_000, n % 1_000);
    let (hour, minute) = (second / 3_600 % 24, second / 60 % 60);
    format!(
        "{{\"id\":\"{n:016x}-4a1c-9b77\",\"timestamp\":\"2026-01-15T{hour:02}:{minute:02}:{:02}.{milli:03}Z\",\
         \"severity\":\"{severity}\",\"service\":\"checkout-{}\",\"host\":\"node-{:03}.eu-west.example.net\",\
         \"source_ip\":\"10.{}.{}.{}\",\"user\":\"user-{:05}\",\"message\":\"request to /api/v2/orders/pending finished in time, one retry\",\
         \"status\":{},\"latency_ms\":{}.25,\"count\":{n}}}",
        second % 60,
        n % 20,
        n % 200,
        n % 7,
        n % 251,
        n % 253,
        n % 10_000,
        [200, 200, 204, 404, 500][(n % 5) as usize],
        n % 900,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bench_event_is_valid_json_of_about_330_bytes() {
        for n in [0, 7, 1_999_999] {
            let event = bench_event(n);
            let parsed: serde_json::Value = serde_json::from_str(&event).unwrap();
            assert_eq!(parsed["count"], n);
            assert!((300..380).contains(&event.len()), "{} bytes", event.len());
        }
    }
}
