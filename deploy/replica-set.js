// Run by mongosh beside a mongod: a replica set of one member, which transactions need. Nothing happens if it is one.
try {
  rs.status();
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({ _id: "rs0", members: [{ _id: 0, host: "mongodb:27017" }] });
}
const deadline = Date.now() + 60000; // milliseconds; measured below 200
while (!db.hello().isWritablePrimary) {
  if (Date.now() > deadline) throw new Error("no primary after 60 s: see the log of mongodb");
  sleep(50);
}
