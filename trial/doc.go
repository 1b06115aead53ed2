// Package trial says what one integration would do with events, and why, and does none of it.
//
// In come a topology, events and what the integration's ledger knows of their order; out comes a Trial for each event: every
// rule that was asked and what it said, and the exact request that would be sent, with secrets masked. A Case of a test file
// (integrations/NAME.test.yaml) is such an event with what is wanted of it; Run compares. The rules are those of package
// rules and the request is made by package deliver: only the effects that a call has on the ledger are played here, as if
// every call succeeded. It never calls a downstream and never writes to Kafka.
//
// Why it stands beside the rooms and not in one: it reads events as the edge does and judges them as a worker does, and
// producers and consumers never import each other.
package trial
