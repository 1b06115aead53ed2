// Package deliver hands one event to one outside system and says how that went.
//
// In come a route's settings and one request; out comes one Result whose Class says what is known of the effect, never
// less and never more: a timeout after the request was sent is Unknown, not a failure. It makes one attempt, follows no
// redirect, and knows nothing of retries, order or ledgers.
//
// A new kind is one file and one line in the kinds table; the contract test ranges over the table.
package deliver
