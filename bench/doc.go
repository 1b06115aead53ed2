// Package bench measures Seam against the least that anybody could write for the same work.
//
// In comes a Kafka with a registry (or none: then both are embedded); out comes a Report: for each case the throughput of
// Seam, the throughput of a bare loop in this package, and their ratio. Both run in one process on one machine, by turns, as
// absolute numbers say more of a machine and its neighbours than of a program. Every run is also checked (each event
// accounted for, no order overtaken), and a run that is wrong is a fault whatever its speed. It never measures what it
// does not check, and never fails for being slow.
//
// Why the bare loops decode nothing and keep nothing: they are the limit, not a rival. Whoever writes one has no durable
// deduplication, no retries, no parking, no ownership. The ratio is what those cost.
//
// Why topics of their own under a random prefix, removed at the end: a benchmark may be pointed at a cluster that is in use.
package bench
