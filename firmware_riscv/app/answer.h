// Strap command 4: loads one model's engine (modelvault_engine.h) from the vault's bank and answers a prompt. Prints
// one line for automation, the tokens as they come:
//
//   answer prompt=ID,… tokens=ID,… scores=HEX status=S place=P number=N offset=N variables=N loader=N engine=N cache=N
//          activations=N parameters=N list=N ram_code=N stack=N name=NAME
//
// prompt is what the text was encoded to; tokens ends with one that begins or ends a text, if one came and
// `pass_ends` was not asked for. A network of features has no prompt, and its one token is the best class. scores is
// HashScores() (score_hash.h) of all the scores that a token was picked from, in order. status is ok or the error's
// name: with it the tokens are those before the error, none of them from bytes that were not proven. place is "-" or
// what is damaged (mv_place_name, spaces as _), number its chunk or segment, offset where that begins in the vault;
// with status=not-found offset is the byte of the prompt that there is no token for. RAM in bytes, the last nine but
// name; list 0: the weights are restored each time. name is "base" for the base.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_ANSWER_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_ANSWER_H_

#include "firmware_riscv/app/straps.h"

namespace modelvault {

// The exit code: 0 if all of it was answered, else 1.
int Answer(const Straps& straps);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_ANSWER_H_
