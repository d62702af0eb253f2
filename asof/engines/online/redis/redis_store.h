// The Redis engine: an online store that many machines share. One hash an entity, one command to read it, all commands of a
// request in one round trip; the newest row is kept by a script, so that any number of writers may write at once.
//
// docs/formats/redis.md has its keys and fields.
#pragma once

#include "asof/store/engine_set.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::redis {

store::OnlineEngine engine();

}  // namespace asof::engines::online::redis
