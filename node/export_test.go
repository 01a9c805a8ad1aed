package node

// PublicSecret is that of the public swarm.
const PublicSecret = publicSecret
