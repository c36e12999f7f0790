import { useState } from "react";
import { useAct, useCall } from "@/api/hooks";

/** Looked at this often while what was asked for arrives. */
const FOLLOW_MS = 1_000;
const IDLE_MS = 15_000;

/** Gaps by sequence, and their messages asked for again at the provider until they are closed. */
export function useCatchUp(contiguous: string) {
  /** Missing when the fetch began; null: none is under way. */
  const [started, setStarted] = useState<{ missing: number; queued: number; refused: number } | null>(null);
  const gaps = useCall("ReceiverService/ListGaps", {}, { refetchInterval: started ? FOLLOW_MS : IDLE_MS });
  const preview = useAct("SchoolLinkService/ReplaySince");
  const replay = useAct("SchoolLinkService/ReplaySince", ["ReceiverService", "SchoolLinkService"]);
  const missing = Number(gaps.data?.missing ?? 0);
  const from = gaps.data?.contiguousSequence ?? contiguous;
  return {
    gaps,
    missing,
    preview,
    replay,
    started,
    count: () => {
      setStarted(null);
      replay.reset();
      preview.mutate({ afterSequence: from, dryRun: true });
    },
    fetch: () =>
      replay.mutate(
        { afterSequence: from, dryRun: false },
        {
          onSuccess: ({ messages, refused }) => {
            setStarted({ missing, queued: Number(messages), refused: Number(refused) });
            preview.reset();
          },
        },
      ),
    cancel: () => preview.reset(),
  };
}
