/** What the service asks about a file, and everything that may be chosen about its reading. */

import { useId, useState } from "react";
import { useDestinations } from "../../api/queries";
import { Button } from "../../ui/button";
import { Icon } from "../../ui/icons";
import {
  type Checked,
  type Choices,
  FIELDS,
  type Question,
  questionOf,
  type Refused,
  withEntry,
} from "./model";

interface ChoosingProps {
  choices: Choices;
  onChoose: (choices: Choices) => void;
}

/** The refusal of a whole file, with the answers it asks for. */
export function Refusal({ refused, choices, onChoose }: ChoosingProps & { refused: Refused }) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const question = questionOf(refused, zone);
  const isKnown = question.answers.length > 0 || question.missing.length > 0;
  return (
    <section className="blotter-refusal callout state-unknown" role="alert" aria-label="The file is refused">
      <h2>{isKnown ? "One question about this file" : "The file is refused"}</h2>
      <p>{question.text}</p>
      {question.answers.length > 0 && (
        <div className="blotter-answers">
          {question.answers.map((one) => (
            <Button key={one.label} kind="primary" onClick={() => onChoose(one.choose(choices))}>
              {one.label}
            </Button>
          ))}
        </div>
      )}
      {question.missing.length > 0 && (
        <MissingFields
          key={question.missing.join()}
          question={question}
          choices={choices}
          onChoose={onChoose}
        />
      )}
    </section>
  );
}

const ONE_VALUE = "=";

function MissingFields({ question, choices, onChoose }: ChoosingProps & { question: Question }) {
  const [columns, setColumns] = useState<Record<string, string>>({});
  const [values, setValues] = useState<Record<string, string>>({});
  const { missing } = question;
  const isConstant = (field: string) =>
    (columns[field] ?? (question.columns.length > 0 && field !== "destination" ? "" : ONE_VALUE)) ===
    ONE_VALUE;
  const isComplete = missing.every((field) => (isConstant(field) ? values[field] : columns[field]));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const map = { ...choices.map };
        const set = { ...choices.set };
        for (const field of missing) {
          if (isConstant(field)) set[field] = values[field] ?? "";
          else map[columns[field] ?? ""] = field;
        }
        onChoose({ ...choices, map, set });
      }}
    >
      {missing.map((field) => (
        <fieldset key={field} className="blotter-missing">
          <legend>
            <code>{field}</code>
          </legend>
          <Select
            label={`${field} is`}
            value={isConstant(field) ? ONE_VALUE : (columns[field] ?? "")}
            onChange={(value) => setColumns({ ...columns, [field]: value })}
            options={[
              ["", "Choose …"],
              ...(field === "order_id" ? [] : [[ONE_VALUE, "one value for all rows"] as const]),
              ...question.columns.map((name) => [name, `column ${name}`] as const),
            ]}
          />
          {isConstant(field) && field !== "order_id" && (
            <Value
              field={field}
              value={values[field] ?? ""}
              onChange={(value) => setValues({ ...values, [field]: value })}
            />
          )}
        </fieldset>
      ))}
      <Button type="submit" kind="primary" disabled={!isComplete}>
        Read it so
      </Button>
    </form>
  );
}

function Value({
  field,
  value,
  onChange,
}: {
  field: string;
  value: string;
  onChange: (value: string) => void;
}) {
  const destinations = useDestinations();
  const label = `${field} of all rows`;
  if (field === "destination") {
    return (
      <Select
        label={label}
        value={value}
        onChange={onChange}
        options={[
          ["", "Choose …"],
          ...destinations.map((one) => [one.abbreviation, one.abbreviation] as const),
        ]}
      />
    );
  }
  if (field === "order_type") {
    return (
      <Select
        label={label}
        value={value}
        onChange={onChange}
        options={[
          ["", "Choose …"],
          ["BUY", "BUY"],
          ["SELL", "SELL"],
        ]}
      />
    );
  }
  return <input aria-label={label} value={value} onChange={(event) => onChange(event.target.value)} />;
}

interface SelectProps {
  label: string;
  value: string;
  options: readonly (readonly [value: string, label: string])[];
  onChange: (value: string) => void;
}

function Select({ label, value, options, onChange }: SelectProps) {
  return (
    <span className="select">
      <select aria-label={label} value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
      <Icon name="down" />
    </span>
  );
}

const CHOICES = [
  ["decimal", "Decimal sign", ["", "point", "comma"]],
  ["dates", "Dates begin with the", ["", "day", "month"]],
  ["timeZone", "Zone of times", null],
  ["encoding", "Encoding", null],
  ["sheet", "Sheet", null],
] as const;

/** All that may be chosen; what is left open is detected, or asked. */
export function Reading({ choices, onChoose }: ChoosingProps) {
  return (
    <details className="blotter-reading">
      <summary>
        <Icon name="down" />
        Read the file otherwise
      </summary>
      <div className="blotter-choices">
        {CHOICES.map(([name, label, options]) =>
          options ? (
            <div key={name} className="field">
              <span aria-hidden="true">{label}</span>
              <Select
                label={label}
                value={choices[name] ?? ""}
                onChange={(value) => onChoose({ ...choices, [name]: value || undefined })}
                options={options.map((one) => [one, one === "" ? "as detected" : one] as const)}
              />
            </div>
          ) : (
            <Typed
              key={name}
              label={label}
              value={choices[name] ?? ""}
              onChange={(value) => onChoose({ ...choices, [name]: value || undefined })}
            />
          ),
        )}
      </div>
      {Object.keys(choices.set).length > 0 && (
        <ul className="blotter-set">
          {Object.entries(choices.set).map(([field, value]) => (
            <li key={field}>
              <code>{field}</code> of all rows: {value}{" "}
              <Button
                kind="ghost"
                icon="close"
                onClick={() => onChoose({ ...choices, set: withEntry(choices.set, field, undefined) })}
              >
                Remove
              </Button>
            </li>
          ))}
        </ul>
      )}
    </details>
  );
}

/** Takes effect when the field is left, or with Enter. */
function Typed({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}) {
  const [text, setText] = useState(value);
  const [before, setBefore] = useState(value);
  if (before !== value) {
    setBefore(value);
    setText(value);
  }
  const id = useId();
  const use = () => text.trim() !== value && onChange(text.trim());
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        placeholder="as detected"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={use}
        onKeyDown={(event) => {
          if (event.key === "Enter") use();
        }}
      />
    </div>
  );
}

const LEFT_OUT = "-";

/** Each column of the file, and the field it is read as. */
export function Columns({ columns, choices, onChoose }: ChoosingProps & { columns: Checked["columns"] }) {
  return (
    <table className="table blotter-columns">
      <thead>
        <tr>
          <th scope="col">Column of the file</th>
          <th scope="col">Read as</th>
        </tr>
      </thead>
      <tbody>
        {columns.map(({ name, field, isIgnored }, index) => {
          const chosen = choices.map[name];
          const detected = field ?? (isIgnored ? "left out" : "no field");
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: names may repeat, and the order is that of the file
            <tr key={index}>
              <td>{name || <span className="muted">without a name</span>}</td>
              <td>
                {name === "" ? (
                  detected
                ) : (
                  <Select
                    label={`${name} is read as`}
                    value={chosen === undefined ? "" : chosen || LEFT_OUT}
                    onChange={(value) =>
                      onChoose({
                        ...choices,
                        map: withEntry(
                          choices.map,
                          name,
                          value === "" ? undefined : value === LEFT_OUT ? "" : value,
                        ),
                      })
                    }
                    options={[
                      ["", chosen === undefined ? detected : "as detected"],
                      ...FIELDS.filter((one) => one !== field || chosen !== undefined).map(
                        (one) => [one, one] as const,
                      ),
                      [LEFT_OUT, "leave it out"],
                    ]}
                  />
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
