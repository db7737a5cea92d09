import { test } from "@jest/globals";
import { renderFrame } from "../../src/reporting/frame.js";
import { formatFailure, formatFailures } from "../../src/reporting/failure.js";
import { formatTable } from "../../src/reporting/table.js";
import * as s from "./story.js";
const show=(t:string)=>process.stdout.write(t+"\n-----\n");
test("x",()=>{
  const ev=[s.started([["storage",["db"]],["web",["web-1","web-2","web-3"]],["edge",["balancer","check"]]]), s.moved("db","storage","ready",2), s.levelFinished("storage",2,2100), s.levelStarted("web",2), s.moved("web-1","web","booting",2), s.moved("web-3","web","ready",4), s.printed("web-1","npm install: added 23\n"), s.failed("web-2","web",5)];
  show(renderFrame(s.viewOf(...ev),{columns:80,rows:24,now:s.at(6),color:false}));
  show(renderFrame(s.viewOf(...ev),{columns:20,rows:5,now:s.at(6),color:false}));
  show(renderFrame(s.viewOf(...ev),{columns:40,rows:8,now:s.at(6),color:false}));
  show(renderFrame(s.viewOf(...ev,s.levelFinished("web",6,4000,1),{type:"run-finished",at:s.at(7),run:"r",state:"failed",ms:7123}),{columns:80,rows:24,now:s.at(7),color:false}));
  const c=s.crowd(200,(i)=>i<137?"ready":i<197?"booting":"failed");
  show(renderFrame(s.viewOf(...c),{columns:80,rows:24,now:s.at(60),color:false}));
  show(formatFailure(s.failure(),{columns:60,color:false}));
  show(formatFailures([1,2,3,4,5].map(n=>s.failure({service:`web-${n}`})),{columns:60,color:false}));
  show(formatTable(["RUN","STATE","SERVICES"],[["web-shop-k3f9","ready","5"],["日本","failed","1000"]],{columns:80,color:false,align:["left","left","right"]}));
  show(formatTable(["RUN","STATE","SERVICES"],[["web-shop-k3f9","ready","5"],["日本","failed","1000"]],{columns:20,color:false,align:["left","left","right"]}));
});
