// The events of workloads.py, made in Node.
import { readFileSync } from 'node:fs';

const START = 1710000000000;
const FIELD = 900;

export function maker(spec) {
  return spec.kind === 'flights'
    ? flights(JSON.parse(readFileSync(spec.rows, 'utf8')))
    : sized(spec.size, spec.users, spec.varied);
}

function flights(rows) {
  return (i) => {
    const [at, carrier, flight, tail, origin, destination, delay, airTime, distance] = rows[i % rows.length];
    return {
      event_type: 'Flight Departed',
      user_id: tail,
      time: at,
      insert_id: `flight-${i}`,
      event_properties: {
        row: i, carrier, flight, origin, destination, departure_delay: delay, air_time: airTime, distance,
      },
    };
  };
}

function sized(size, users, isVaried) {
  const missing = Math.max(size - 135, 0);
  const length = Math.min(FIELD, Math.max(30, Math.floor(missing / 60)));
  const fields = {};
  for (let n = 0; n < Math.floor(missing / (length + 16)); n += 1) {
    fields[`detail_${String(n).padStart(3, '0')}`] = text(n, length);
  }
  return (i) => {
    const event = {
      event_type: 'Song Played',
      user_id: `user-${String(i % users).padStart(7, '0')}`,
      time: START + i,
      insert_id: `song-${i}`,
      event_properties: { row: i, ...fields },
    };
    if (isVaried) {
      for (const name of Object.keys(fields)) {
        event.event_properties[name] = `${String(i).padStart(8, '0')}${fields[name].slice(8)}`;
      }
    }
    return event;
  };
}

function text(seed, length) {
  let made = '';
  for (let position = 0; position < length; position += 1) {
    made += String.fromCharCode(97 + ((seed * 7 + position * 11) % 26));
  }
  return made;
}
