// Package rules decides what one downstream gets of one event, and why.
//
// Decide is pure: no I/O, no clock, no state of its own. In come the decoded event, the integration's rules, who owns
// which field, and what the ledger knows of the order; out comes one Decision with a Reason. The order of the rules is
// the order of Decide's lines:
//
//	dedup ▸ subscribed ▸ owner ▸ (correction: takes it? holds it?) ▸ expired ▸ nothing to undo ▸ once ▸ stale ▸ superseded ▸ needs ▸ behind ▸ conflict ▸ call
//
// Why ownership comes before everything that remembers: what a non-owner says must not satisfy a prerequisite, supersede
// a request or move a version.
package rules
