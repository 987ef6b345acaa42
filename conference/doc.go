// Package conference is the pure core of livemon: who may hear whom, what a
// room is, and which commands lead from the room as it is to the room as it is
// wanted.
//
// It knows no socket, no store and no clock: a [Room] goes in, [Command]s come
// out ([Plan]). The caller sends them one by one, reads the room again and
// plans again, until there is nothing left to do; the same happens after a
// restart, so there is no second path for recovery.
//
// It guarantees, for every room and every wish, and tests over all of them:
//
//   - After every single command of a plan, interrupted anywhere, nobody hears a
//     supervisor whom the table ([Allowed]) does not let hear him, unless he
//     heard him before the plan began; and such a leak is closed by the first
//     commands of the plan.
//   - When a plan and those that follow it have run, everybody hears exactly
//     whom the table says.
//   - The pupil is only ever removed in a room that was seen, not merely
//     expected, to let the user hear the supervisor who takes over.
//   - A coach is never in a room's mix: he stays mute there, and whispers to the
//     pupil past it ([WhisperLine]). Relations could not hide him from the others
//     at the moment when he leaves, nor from somebody who joins.
//   - A supervisor is only ever removed while muted, and SettleTime after the mute.
//
// # Rooms with a tap
//
// A call that is listened to does not have to be moved: a tap on the pupil's leg
// brings it into a room where the supervisors are ([TapLine], [Tapped], [PlanTap]).
// Whether a supervisor is heard is then decided by two locks in a row: the mute in
// the room, and the tap's [Reach]. The guarantees are the same, and these:
//
//   - Towards less the reach goes first, towards more it is opened while the line is
//     still mute.
//   - No reach is opened before what was said to fewer people has settled.
//   - Other supervisors hear a supervisor who barges in and no coach.
//   - A change of one role takes no more than four commands.
//
// It does not move calls into rooms, ring telephones or remember anything.
package conference
