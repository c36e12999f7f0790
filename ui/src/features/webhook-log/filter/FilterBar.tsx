import { Button } from "antd";
import { ListFilter, TextCursorInput, X } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import {
  addTerms,
  type FilterProblem,
  type LogFilter,
  parseFilter,
  printFilter,
  printTerm,
  removeTerm,
} from "@/api/logFilter";
import { CopyButton } from "@/components/Copy";
import { Chips } from "./Chips";
import { Problem } from "./Problem";
import { Suggestions, useSuggestions } from "./Suggestions";

/** Laid over what is below, so that nothing moves under the reader. */
const UNDER =
  "absolute top-full left-0 z-20 mt-1 max-w-full rounded-control border border-solid border-hairline bg-surface px-3 py-1.5 text-label text-failed shadow-lg";

/**
 * The filter as chips with a place to write the next one, or all of it as text. What is written is taken by Enter, or
 * by a blank behind a whole word; what cannot be read stays, with the fault marked.
 */
export function FilterBar({
  filter,
  onChange,
  serverProblem,
}: {
  filter: LogFilter;
  onChange: (filter: LogFilter) => void;
  /** What the server says where it reads the filter in another way. */
  serverProblem: string | null;
}) {
  const { t } = useTranslation("webhookLog");
  const [draft, setDraft] = useState("");
  const [asText, setAsText] = useState(false);
  const [problem, setProblem] = useState<FilterProblem | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const offers = useSuggestions(draft, input, (text) => write(text));

  const write = (text: string) => {
    setDraft(text);
    setProblem(null);
  };
  const leaveText = () => {
    setAsText(false);
    write("");
  };
  const take = (text: string): boolean => {
    const parsed = parseFilter(text);
    if (!parsed.ok) {
      setProblem(parsed.problem);
      offers.hide();
      return false;
    }
    onChange(asText ? parsed.filter : addTerms(filter, parsed.filter));
    leaveText();
    return true;
  };
  const editAll = () => {
    setAsText(true);
    write(printFilter(filter));
    input.current?.focus();
  };
  const edit = (at: number) => {
    const term = filter[at];
    if (!term) return;
    onChange(removeTerm(filter, at));
    write(printTerm(term));
    input.current?.focus();
  };
  // Another filter from elsewhere, such as a click on a cell, ends the editing of the old text.
  const text = printFilter(filter);
  useEffect(() => leaveText(), [text]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (offers.onKeyDown(event)) return;
    if (event.key === "Enter") {
      event.preventDefault();
      take(draft);
    } else if (event.key === "Escape" && (draft || asText)) {
      event.preventDefault();
      leaveText();
    } else if (event.key === "Backspace" && draft === "" && !asText && filter.length > 0) {
      event.preventDefault();
      edit(filter.length - 1);
    }
  };
  return (
    <div className="relative flex min-w-0 flex-1 flex-col">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a click beside the text goes into it */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the input is reached by Tab and Mod+F */}
      <div
        className="relative flex min-h-8 flex-wrap items-center gap-1 rounded-control border border-solid border-control bg-surface py-0.5 pr-1 pl-2 focus-within:outline-2 focus-within:outline-accent-text"
        onClick={(event) => event.target === event.currentTarget && input.current?.focus()}
      >
        <ListFilter size={14} aria-hidden className="shrink-0 text-text-3" />
        {!asText && <Chips filter={filter} onChange={onChange} onEdit={edit} />}
        <input
          ref={input}
          data-filter
          role="combobox"
          aria-label={t("filter.label")}
          aria-expanded={offers.open}
          aria-controls={offers.listId}
          aria-activedescendant={offers.activeId}
          aria-autocomplete="list"
          aria-invalid={problem !== null}
          autoComplete="off"
          spellCheck={false}
          value={draft}
          placeholder={filter.length > 0 ? t("filter.more") : t("filter.placeholder")}
          className="h-6 min-w-40 flex-1 border-0 bg-transparent font-mono text-label text-text-1 outline-none placeholder:text-text-3"
          onChange={(event) => {
            const written = event.target.value;
            const ends = !asText && /\s$/.test(written) && written.trim() !== "" && parseFilter(written).ok;
            if (!ends || !take(written)) write(written);
            offers.show();
          }}
          onSelect={offers.follow}
          onBlur={offers.hide}
          onKeyDown={onKeyDown}
        />
        {(filter.length > 0 || asText) && (
          <>
            <Button
              size="small"
              type="text"
              icon={<TextCursorInput size={14} aria-hidden />}
              onClick={asText ? leaveText : editAll}
            >
              {asText ? t("filter.asChips") : t("filter.asText")}
            </Button>
            <CopyButton text={text} label={t("filter.copy")} />
            <Button
              size="small"
              type="text"
              aria-label={t("filter.clear")}
              title={t("filter.clear")}
              icon={<X size={14} aria-hidden />}
              onClick={() => {
                leaveText();
                onChange([]);
              }}
            />
          </>
        )}
        <Suggestions offers={offers} label={t("filter.suggestions")} />
      </div>
      {problem && <Problem text={draft} problem={problem} className={UNDER} />}
      {!problem && serverProblem && (
        <p role="alert" className={`m-0 ${UNDER}`}>
          {t("serverRefusesFilter", { message: serverProblem })}
        </p>
      )}
    </div>
  );
}
