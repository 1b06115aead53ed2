// Package console shows people what the reconciler knows: the timeline of an order, what systems disagree about, and how
// much of everything there is.
//
// In come GET requests; out go JSON for programs, text for terminals and one page for browsers that works without scripts.
// Every answer says how far behind the topics it is. It changes nothing, and it shows no personal value: the view keeps
// none. It has no sign-in of its own: put it behind the one you have.
package console
