#include "firmware_riscv/boot/boot.h"

namespace modelvault {
namespace {

template <UpdateSteps kSteps>
class Booter {
 public:
  Booter(BasicBootSelection<kSteps>* selection, const BootHost& host) : selection_(selection), host_(host) {}

  BootResult Boot();
  BootResult BootBase(BootSource source) {
    Try({}, source);
    return result_;
  }

 private:
  void Tell(BootEvent event, ByteView name, unsigned number = 0, mv_error error = MV_OK) {
    host_.tell(host_.context, {event, name, number, error});
  }
  void TellMark(BootEvent event, ByteView name, mv_error error) {
    Tell(error == MV_OK ? event : BootEvent::kNotMarked, name, 0, error);
  }
  bool Try(ByteView name, BootSource source);
  bool TryTest(unsigned sector);

  BasicBootSelection<kSteps>* selection_;
  const BootHost& host_;
  BootResult result_ = {BootSource::kNothing, {}, MV_NOT_FINISHED};
  bool base_failed_ = false;
};

// False if the model was not proven.
template <UpdateSteps kSteps>
bool Booter<kSteps>::Try(ByteView name, BootSource source) {
  Tell(BootEvent::kStart, name);
  mv_error error = MV_NOT_FINISHED;
  if (host_.run(host_.context, name, &error) != MV_VERIFIED) {
    result_ = {BootSource::kNothing, {}, error};
    base_failed_ = base_failed_ || name.size == 0;
    Tell(BootEvent::kFailed, name, 0, error);
    return false;
  }
  result_ = {source, name, MV_OK};
  return true;
}

template <UpdateSteps kSteps>
bool Booter<kSteps>::TryTest(unsigned sector) {
  const ByteView name = selection_->record(sector).name;
  const unsigned attempts = selection_->record(sector).attempts;
  if (attempts >= kMaxAttempts) {
    Tell(BootEvent::kGivenUp, name, attempts);
  } else {
    Tell(BootEvent::kTrial, name, attempts + 1);
    const mv_error marked = kSteps.mark_attempt ? selection_->MarkAttempt(sector) : MV_OK;
    if (marked != MV_OK) Tell(BootEvent::kNotMarked, name, 0, marked);
    // An attempt that cannot be counted, as those before were, might hang the board at every start.
    const bool counted = marked == MV_OK || attempts == 0;
    if (counted && Try(name, BootSource::kTrial)) {
      if (host_.confirm) TellMark(BootEvent::kConfirmed, name, selection_->Confirm(sector));
      return true;
    }
  }
  TellMark(BootEvent::kRejected, name, selection_->Reject(sector));
  return false;
}

template <UpdateSteps kSteps>
BootResult Booter<kSteps>::Boot() {
  for (unsigned sector = 0; sector < MV_SELECTION_SECTORS; ++sector) {
    if (selection_->record(sector).state == RecordState::kDamaged) Tell(BootEvent::kSectorDamaged, {}, sector);
  }
  // The choice, then the one confirmed before it. A choice that was rejected at an earlier boot is none.
  const unsigned newest = selection_->newest();
  const unsigned sectors[] = {newest, selection_->ConfirmedBeside(newest)};
  BootSource source = BootSource::kSelected;
  for (const unsigned sector : sectors) {
    if (sector == BasicBootSelection<kSteps>::kNone) continue;
    const SelectionRecord& record = selection_->record(sector);
    if (record.state == RecordState::kRejected) continue;
    if (record.state == RecordState::kTest ? TryTest(sector) : Try(record.name, source)) {
      selection_->SetProven(sector);
      return result_;
    }
    source = BootSource::kLastGood;
  }
  if (base_failed_) return result_;
  return BootBase(source == BootSource::kSelected ? source : BootSource::kBase);
}

}  // namespace

template <UpdateSteps kSteps>
BootResult Boot(BasicBootSelection<kSteps>* selection, const BootHost& host) {
  return Booter<kSteps>(selection, host).Boot();
}

template BootResult Boot(BootSelection* selection, const BootHost& host);

BootResult BootBase(const BootHost& host) { return Booter<kAllSteps>(nullptr, host).BootBase(BootSource::kBase); }

}  // namespace modelvault
