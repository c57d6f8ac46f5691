/** One thing for a person to mend. `missing`: a lane does not work, or not safely, without it. `hint`: it works, and somebody may be surprised. */
export type Finding = {
  readonly kind: 'missing' | 'hint';
  /** As the person names it: `services/proxy/deploy, Deployment proxy`. */
  readonly about: string;
  /** What a lane needs, and what is there. */
  readonly said: string;
  readonly cure: string;
};

export function missing(about: string, said: string, cure: string): Finding {
  return { kind: 'missing', about, said, cure };
}

export function hint(about: string, said: string, cure: string): Finding {
  return { kind: 'hint', about, said, cure };
}
