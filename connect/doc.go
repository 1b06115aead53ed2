// Package connect says how Kafka and the schema registry are reached: TLS, a client's certificate, and how to sign in.
//
// In come variables, SEAM_KAFKA_... and SEAM_REGISTRY_..., by a function like os.LookupEnv; out go options of franz-go's clients.
// What is contradictory, missing or unreadable is an error that names the variable and the mend, before anything is dialled.
// Explain does the same for what a broker or registry refuses later.
//
// A secret stands in NAME or in the file that NAME_FILE names. Files, of secrets and of certificates, are read anew for each
// connection and each sign-in, so that a rotation needs no restart. No error holds a secret.
package connect
